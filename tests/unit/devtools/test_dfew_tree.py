"""The tree of the bench is DFEW to the project's own reader, with as many clips and frames as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools import dfew_tree as tree
from nrdfer.corpora.dfew import read_dfew
from nrdfer.corpora.published import DFEW_CLIPS, DFEW_EMOTIONS, DFEW_FRAMES, DFEW_NOMINAL


def test_a_small_tree_is_read_as_it_was_told(tmp_path: Path) -> None:
    made = tree.make_tree(tmp_path / "DFEW", None, 70, 20, 0, lambda *_: None)
    corpus = read_dfew(tmp_path / "DFEW")
    assert (made["clips"], made["labelled"]) == (70, 72) == (len(corpus.clips), 70 + len(corpus.excluded))
    assert made["frames"] == sum(clip.n_frames for clip in corpus.clips)
    assert made["pool"]["pictures"] == 20
    with pytest.raises(SystemExit, match="exists"):
        tree.make_tree(tmp_path / "DFEW", None, 70, 20, 0, lambda *_: None)


def check_totals(clips: list[tree.Clip]) -> None:
    assert (len(clips), sum(clip.frames for clip in clips)) == (DFEW_CLIPS, DFEW_FRAMES)
    assert {e: sum(clip.emotion == e for clip in clips) for e in DFEW_EMOTIONS} == DFEW_EMOTIONS
    assert min(clip.frames for clip in clips) >= tree.LEAST
    bare = tree.bare_clips({clip.clip_id for clip in clips}, DFEW_NOMINAL - DFEW_CLIPS)
    assert len({clip.clip_id for clip in [*clips, *bare]}) == DFEW_NOMINAL
    assert {e: sum(clip.emotion == e for clip in bare) for e in tree.BARE} == tree.BARE


def test_drawn_lengths_add_up_to_dfews() -> None:
    check_totals(tree.drawn_clips(0))


def test_real_lists_give_dfews_lengths(shared_dir: Path) -> None:
    clips = tree.real_clips(shared_dir / "annotations")
    check_totals(clips)
    assert sum(clip.frames < 16 for clip in clips) == 14
    assert (min(clip.frames for clip in clips), max(clip.frames for clip in clips)) == (11, 847)
