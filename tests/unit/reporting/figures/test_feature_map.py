from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.plotting.style import VERMILLION
from nrdfer.reporting.figures import feature_map
from nrdfer.reporting.figures.feature_map import FoldFeatures, Separation, draw_feature_map, embed, separation
from tests.unit.reporting.figures.pictures import check_png, share_of

EACH = 9


def blobs(apart: float, seed: int = 0) -> FoldFeatures:
    """Seven emotions, one direction each, at some distance from the noise."""
    rng = np.random.default_rng(seed)
    emotions = [emotion for emotion in EMOTIONS for _ in range(EACH)]
    directions = np.repeat(np.eye(7, 40), EACH, axis=0)
    return FoldFeatures((apart * directions + 0.05 * rng.normal(size=(7 * EACH, 40))).astype(np.float16), emotions)


def test_separable_blobs_separate_and_mixed_ones_do_not() -> None:
    apart, mixed = separation(blobs(5.0)), separation(blobs(0.0))
    assert apart.silhouette is not None and apart.silhouette > 0.95
    assert apart.like_neighbours == 1.0
    assert apart.chance == mixed.chance == pytest.approx((EACH - 1) / (7 * EACH - 1))
    assert mixed.silhouette is not None and mixed.silhouette < 0.05
    assert mixed.like_neighbours == pytest.approx(mixed.chance, abs=0.12)


def test_known_answers_by_hand() -> None:
    angles = np.deg2rad([0.0, 1.0, 90.0, 91.0])
    features = np.stack([np.cos(angles), np.sin(angles)], 1)
    found = separation(FoldFeatures(features, ["fear", "fear", "anger", "anger"]))
    # three others each, one of them alike
    assert found.like_neighbours == pytest.approx(1 / 3)
    assert found.chance == pytest.approx(1 / 3)
    near, far = 1 - np.cos(angles[1]), [1 - np.cos(np.deg2rad(degrees)) for degrees in (89, 90, 91)]
    expected = np.mean([1 - near / np.mean(far[1:]), 1 - near / np.mean(far[:2])])
    assert found.silhouette == pytest.approx(expected, abs=1e-5)


def test_length_of_features_does_not_matter_but_direction_does() -> None:
    fold = blobs(5.0)
    scales = np.random.default_rng(1).uniform(0.5, 50, (len(fold.features), 1))
    scaled = separation(FoldFeatures(fold.features.astype(np.float64) * scales, fold.emotions))
    assert scaled.silhouette == pytest.approx(separation(fold).silhouette, abs=1e-4)


@pytest.mark.parametrize(
    ("emotions", "expected"),
    [
        ([], Separation(0, None, None, None)),
        (["fear"], Separation(1, None, None, None)),
        (["fear", "fear", "fear"], Separation(3, None, 1.0, 1.0)),
        (["fear", "anger"], Separation(2, None, 0.0, 0.0)),
    ],
)
def test_what_cannot_be_measured_is_none(emotions: list[str], expected: Separation) -> None:
    assert separation(FoldFeatures(np.eye(len(emotions), 4) + 1.0, emotions)) == expected


def test_the_map_is_repeatable_and_keeps_blobs_together() -> None:
    fold = blobs(5.0)
    placed = embed(fold.features)
    assert placed.shape == (63, 2)
    assert (placed == embed(fold.features)).all()
    own = placed.reshape(7, EACH, 2)
    centres = own.mean(1)
    nearest = ((placed[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
    assert (nearest == np.repeat(np.arange(7), EACH)).all()


def test_both_rows_one_row_and_missing_folds_are_drawn(tmp_path: Path) -> None:
    ours = {"fd1": blobs(5.0), "fd2": blobs(5.0, 1)}
    found = draw_feature_map(ours, EMOTIONS, tmp_path / "both.png", baseline={"fd2": blobs(0.3)})
    assert {name: list(folds) for name, folds in found.items()} == {"baseline": ["fd2"], "ours": ["fd1", "fd2"]}
    assert found["ours"]["fd1"] == separation(ours["fd1"])
    both = check_png(tmp_path / "both.png", 4.4)
    assert share_of(both, VERMILLION) > 0.0005
    assert list(draw_feature_map({}, EMOTIONS, tmp_path / "base.png", baseline=ours)) == ["baseline"]
    assert list(draw_feature_map({"fd1": ours["fd1"]}, EMOTIONS, tmp_path / "one.png")) == ["ours"]
    assert check_png(tmp_path / "one.png", 4.4).shape[0] < check_png(tmp_path / "base.png", 4.4).shape[0] * 2


def test_few_clips_have_numbers_but_no_map(tmp_path: Path) -> None:
    few = FoldFeatures(np.eye(4, 9), ["fear", "fear", "anger", "anger"])
    assert draw_feature_map({"fd1": few}, EMOTIONS, tmp_path / "few.png")["ours"]["fd1"].clips == 4
    check_png(tmp_path / "few.png", 4.4)
    six = FoldFeatures(np.eye(6, 9), ["fear", "fear", "anger", "anger", "fear", "anger"])
    assert np.isfinite(embed(six.features)).all()


@pytest.mark.parametrize("features", [np.zeros((3, 4)), np.zeros(2), np.array([[np.inf], [0.0]])])
def test_features_that_do_not_fit_are_told(features: npt.NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match=r"features"):
        FoldFeatures(features, ["fear", "anger"])


def test_no_fold_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no features"):
        draw_feature_map({}, EMOTIONS, tmp_path / "none.png", baseline={})


def test_distances_of_all_pairs_are_taken_of_a_bounded_number_of_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    large = FoldFeatures(rng.normal(size=(100_000, 4)).astype(np.float16), list(EMOTIONS) * 14285 + ["anger"] * 5)
    kept = feature_map.some_of(large)
    assert len(kept.emotions) == len(kept.features) == feature_map.MOST
    assert set(kept.emotions) == set(EMOTIONS)
    monkeypatch.setattr(feature_map, "MOST", 50)
    assert separation(large).clips == 50
    small = FoldFeatures(large.features[:50], large.emotions[:50])
    assert feature_map.some_of(small) is small


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_features_that_are_all_alike_do_not_end_the_process(value: float) -> None:
    assert np.isfinite(embed(np.full((14, 8), value))).all()
