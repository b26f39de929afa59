from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score

from nrdfer.core.emotions import EMOTIONS
from nrdfer.evaluation.calibration import probabilities_of
from nrdfer.evaluation.class_figures import at_prior, by_class, in_words, macro_f1, summary


def table(clips: int = 400, classes: int = 7) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    prior = np.arange(1, classes + 1) / sum(range(classes + 1))
    truth = rng.choice(classes, clips, p=prior)
    logits = rng.normal(size=(clips, 7)) + 1.5 * np.eye(7)[truth]
    logits[:, :classes] += np.log(prior)  # as a network that learned from such clips
    answers = logits.argmax(1)
    names = np.array(EMOTIONS, dtype=object)
    return pd.DataFrame({f"logit_{k}": logits[:, k] for k in range(7)}).assign(
        emotion=names[truth], predicted=names[answers], predicted_unfiltered=names[answers], vetoed=False
    )


def test_precision_recall_and_f1_are_scikit_learns() -> None:
    made = table()
    found = by_class(made, EMOTIONS)
    given = {"y_true": made["emotion"], "y_pred": made["predicted"], "labels": list(EMOTIONS), "average": None}
    for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        np.testing.assert_allclose([found[e][name] for e in EMOTIONS], score(**given), atol=1e-12)
    macro = f1_score(made["emotion"], made["predicted"], labels=list(EMOTIONS), average="macro")
    assert macro_f1(found) == pytest.approx(macro, abs=1e-12)
    p = probabilities_of(made, EMOTIONS)
    for k, emotion in enumerate(EMOTIONS):
        area = average_precision_score(made["emotion"] == emotion, p[:, k])
        assert found[emotion]["average_precision"] == pytest.approx(area, abs=1e-12)


def test_an_emotion_without_clips_has_no_recall_and_is_no_part_of_the_mean() -> None:
    made = table(classes=6)
    row = by_class(made, EMOTIONS)[EMOTIONS[6]]
    assert row["clips"] == 0 and row["recall"] is None and row["f1"] is None and row["average_precision"] is None
    macro = f1_score(made["emotion"], made["predicted"], labels=list(EMOTIONS[:6]), average="macro")
    assert macro_f1(by_class(made, EMOTIONS)) == pytest.approx(macro)


def test_an_equal_prior_favours_rare_emotions_and_the_learned_one_changes_nothing() -> None:
    made = table(4000)
    counts = [int((made["emotion"] == emotion).sum()) for emotion in EMOTIONS]
    same, equal = at_prior(made, EMOTIONS, counts, counts), at_prior(made, EMOTIONS, counts)
    hits = (made["emotion"] == made["predicted"]).mean()
    assert same["war"] == pytest.approx(hits) and same["war_at_prior"] == pytest.approx(hits)
    assert equal["uar"] > same["uar"] and equal["war"] < same["war"] + 1e-9
    assert equal["war_at_prior"] == pytest.approx(equal["uar"])
    for wrong in ([1, 2], [0, *counts[1:]]):
        with pytest.raises(ValueError, match="7 shares above 0"):
            at_prior(made, EMOTIONS, wrong)


def test_a_summary_says_what_was_measured() -> None:
    made = table()
    text = in_words(summary(made, EMOTIONS, temperature=1.5, learned=[10] * 7))
    assert "macro-F1" in text and "at temperature 1.500" in text and "equally frequent" in text
    assert "temperature" not in in_words(summary(made, EMOTIONS, learned=[0, *[10] * 6]))
