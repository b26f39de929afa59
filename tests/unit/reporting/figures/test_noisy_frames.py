from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nrdfer.reporting.figures.noisy_frames import choose_noisy_clips, draw_noisy_frames
from tests.unit.reporting.figures.pictures import check_png

NOISE = {
    "clean": ("none",) * 20,
    "few": ("none",) * 8 + ("n1_occluded", "n1_person", "n1_noface", "n1_noface") + ("none",) * 8,
    "many": ("n1_noface",) * 15 + ("none",) * 5,
    "neutral": ("n2_neutral",) * 15 + ("none",) * 5,
}
EMOTIONS = dict.fromkeys(NOISE, "fear")


def test_clips_are_chosen_by_what_was_planted() -> None:
    few, neutral = choose_noisy_clips(EMOTIONS, NOISE)
    assert (few.clip_id, few.kind, neutral.clip_id, neutral.kind) == ("few", "N1", "neutral", "N2")
    assert len(few.frames) == 10
    assert (few.frames[0], few.frames[-1]) == (0, 19)
    assert [NOISE["few"][frame].startswith("n1") for frame in few.frames] == list(few.noisy)
    assert any(few.noisy) and not all(few.noisy)


def test_nothing_is_shown_of_a_corpus_whose_noise_is_not_known() -> None:
    assert choose_noisy_clips(EMOTIONS, {}) == []
    assert choose_noisy_clips({"other": "fear"}, NOISE) == []
    assert [clip.kind for clip in choose_noisy_clips({"neutral": "fear"}, NOISE)] == ["N2"]


def test_the_picture_has_a_strip_for_each_clip(tmp_path: Path) -> None:
    clips = choose_noisy_clips(EMOTIONS, NOISE)
    draw_noisy_frames(clips, lambda _, frames: np.full((len(frames), 16, 16, 3), 90, np.uint8), tmp_path / "one.png")
    check_png(tmp_path / "one.png", 7.4, 2 * 1.04)
    with pytest.raises(ValueError, match="no clip"):
        draw_noisy_frames([], lambda _, frames: np.zeros((len(frames), 2, 2, 3), np.uint8), tmp_path / "none.png")
