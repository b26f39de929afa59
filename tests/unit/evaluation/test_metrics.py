from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from nrdfer.core.emotions import EMOTIONS
from nrdfer.evaluation.metrics import confusion_matrix, recalls, uar, war
from nrdfer.evaluation.protocols import check_complete, cross_validation, fold_metrics

_LABELS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=60)


@given(pairs=_LABELS)
def test_against_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = (list(column) for column in zip(*pairs, strict=True))
    counts = confusion_matrix(truth, predicted, 7)
    present = sorted(set(truth))
    np.testing.assert_array_equal(counts, sk.confusion_matrix(truth, predicted, labels=range(7)))
    assert war(counts) == pytest.approx(sk.accuracy_score(truth, predicted))
    assert uar(counts) == pytest.approx(sk.recall_score(truth, predicted, labels=present, average="macro"))
    each = sk.recall_score(truth, predicted, labels=present, average=None)
    np.testing.assert_allclose(recalls(counts)[present], each)
    assert np.isnan(np.delete(recalls(counts), present)).all()


def test_uar_and_war_differ_where_classes_are_unequal() -> None:
    counts = confusion_matrix([0, 0, 0, 0, 0, 0, 0, 0, 1, 1], [0] * 10, 7)
    assert war(counts) == 0.8
    assert uar(counts) == 0.5


@pytest.mark.parametrize(("truth", "predicted"), [([], []), ([1, 2], [1])])
def test_lists_that_do_not_match_are_refused(truth: list[int], predicted: list[int]) -> None:
    with pytest.raises(ValueError, match="need as many of each"):
        confusion_matrix(truth, predicted, 7)


def _table(start: int, truth: list[int], predicted: list[int]) -> pd.DataFrame:
    names = [EMOTIONS[i] for i in predicted]
    return pd.DataFrame(
        {
            "clip_id": [f"{start + i:05d}" for i in range(len(truth))],
            "emotion": [EMOTIONS[i] for i in truth],
            "predicted": names,
            "predicted_unfiltered": ["neutral", *names[1:]],
        }
    )


def test_metrics_of_a_fold_name_the_emotions_that_are_absent() -> None:
    metrics = fold_metrics(_table(0, [0, 0, 1, 3], [0, 1, 1, 0]), EMOTIONS)
    assert metrics["war"] == 0.5
    assert metrics["uar"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert metrics["war_unfiltered"] == 0.25
    assert metrics["absent"] == ["neutral", "surprise", "disgust", "fear"]
    assert metrics["recalls"]["anger"] == 0
    assert metrics["recalls"]["fear"] is None
    assert sum(map(sum, metrics["confusion"])) == metrics["clips"] == 4


def test_mean_of_folds_and_pooled_are_both_given() -> None:
    folds = {"fd1": _table(0, [0, 0, 0, 1], [0, 0, 0, 0]), "fd2": _table(4, [0, 1], [1, 1])}
    summary = cross_validation(folds, EMOTIONS)
    assert summary["war_mean"] == pytest.approx((0.75 + 0.5) / 2)
    assert summary["war_pooled"] == pytest.approx(4 / 6)
    assert summary["uar_mean"] == pytest.approx((0.5 + 0.5) / 2)
    assert summary["uar_pooled"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert (summary["clips"], summary["folds"]) == (6, 2)
    assert set(summary["absent"]) == {"fd1", "fd2"}


def test_a_clip_tested_twice_is_refused() -> None:
    table = _table(0, [0, 1], [0, 1])
    with pytest.raises(ValueError, match=r"2 clips are tested in two folds, e\.g\. 00000"):
        cross_validation({"fd1": table, "fd2": table}, EMOTIONS)
    with pytest.raises(ValueError, match="no fold"):
        cross_validation({}, EMOTIONS)


def test_a_table_must_predict_exactly_the_asked_clips() -> None:
    table = _table(0, [0, 1], [0, 1])
    check_complete(table, ["00001", "00000"], "fd1")
    with pytest.raises(ValueError, match=r"fd1: .*1 missing, e\.g\. 00002"):
        check_complete(table, ["00000", "00001", "00002"], "fd1")
    with pytest.raises(ValueError, match=r"1 unexpected, e\.g\. 00001"):
        check_complete(table, ["00000"], "fd1")
    with pytest.raises(ValueError, match="2 predicted twice"):
        check_complete(pd.concat([table, table]), ["00000", "00001"], "fd1")
