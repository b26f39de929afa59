"""The tree of the bench is FERV39k to the project's own reader, with as many clips and frames as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools import ferv39k_tree as tree
from nrdfer.core.emotions import AFEW_FOLDERS, EMOTIONS
from nrdfer.corpora.ferv39k import read_ferv39k


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """Three clips of every emotion in training and two in test, of 3 to 5 frames."""
    for part, ids in (("train", (1, 2, 3)), ("test", (4, 5))):
        lines = [
            f"/d/2_ClipsforFaceCrop/War/{name}/{clip:04d} {3 + clip % 3} {EMOTIONS.index(emotion)}"
            for name, emotion in AFEW_FOLDERS.items()
            for clip in ids
        ]
        (tmp_path / f"FERV39K_{part}.txt").write_text("\n".join(lines))
    return tmp_path


def test_a_small_tree_is_read_as_it_was_made(lists: Path, tmp_path: Path) -> None:
    made = tree.make_tree(tmp_path / "FERV39k", lists, 20, 8, 0, lambda *_: None)
    contents = read_ferv39k(tmp_path / "FERV39k")
    assert made["clips"] == len(contents.clips) == 20
    assert made["frames"] == sum(clip.n_frames for clip in contents.clips)
    assert {clip.emotion for clip in contents.clips} == set(EMOTIONS)
    with pytest.raises(SystemExit, match="exists"):
        tree.make_tree(tmp_path / "FERV39k", lists, 20, 8, 0, lambda *_: None)


def test_every_emotion_stays_in_both_parts(lists: Path) -> None:
    whole = tree.real_clips(lists)
    assert len(whole) == 35
    kept = tree.thin_out(whole, 14)
    assert {(clip.part, clip.place.split("/")[1]) for clip in kept} == {
        (part, name) for part in ("train", "test") for name in AFEW_FOLDERS
    }
    assert len({clip.place for clip in tree.thin_out(whole, 35)}) == 35
    with pytest.raises(SystemExit, match=r"between 14 .* and 35 can be made"):
        tree.thin_out(whole, 36)


def test_folders_without_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"holds neither FERV39K_train\.txt"):
        tree.real_clips(tmp_path)


def test_real_lists_give_ferv39ks_lengths(shared_dir: Path) -> None:
    clips = tree.real_clips(shared_dir / "annotations")
    assert (len(clips), sum(clip.frames for clip in clips)) == (38_935, 1_090_633)
    assert sum(clip.frames < 16 for clip in clips) == 4070
