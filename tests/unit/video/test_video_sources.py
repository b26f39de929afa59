"""Listing videos and naming clips."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.errors import CorpusError
from nrdfer.video.sources import clip_id_of, list_sources


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


@given(st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=30))
def test_clip_ids_hold_only_what_shards_allow(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_\-]+", clip_id_of(Path("folder") / f"{name}.mp4"))


def test_folders_are_searched_and_hidden_entries_skipped(tmp_path: Path) -> None:
    touch(tmp_path / "b/deep/two.AVI")
    touch(tmp_path / "a/one.mp4")
    touch(tmp_path / "a/readme.txt")
    touch(tmp_path / ".cache/three.mp4")
    assert [s.path.name for s in list_sources([tmp_path])] == ["one.mp4", "two.AVI"]
    # a file named outright is taken whatever it is, and nothing is taken twice
    assert len(list_sources([tmp_path, tmp_path / "a/one.mp4", tmp_path / "a/readme.txt"])) == 3


def test_a_link_that_leads_nowhere_is_a_video_that_is_missing(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (tmp_path / "folder.mp4").mkdir()
    assert [s.path.name for s in list_sources([tmp_path])] == ["a.mp4", "b.mp4"]


def test_a_note_names_the_owner_as_it_is_called(tmp_path: Path) -> None:
    capital, small = touch(tmp_path / "x/Clip.mp4"), touch(tmp_path / "y/clip.mp4")
    assert list_sources([capital, small])[1].note == f"called clip-2, because {capital} already is Clip"


def test_names_that_collide_are_told_apart_and_reported(tmp_path: Path) -> None:
    paths = [touch(tmp_path / name) for name in ("x/a.b.mp4", "y/a-b.mp4", "z/A b.avi", "z/a-b-2.mp4")]
    sources = list_sources(paths)
    assert [s.clip_id for s in sources] == ["a-b", "a-b-3", "A-b-4", "a-b-2"]
    assert [bool(s.note) for s in sources] == [False, True, True, False]
    assert str(paths[0]) in sources[1].note


def test_nothing_to_do_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=re.escape(str(tmp_path))):
        list_sources([tmp_path])
    with pytest.raises(CorpusError, match="does not exist"):
        list_sources([tmp_path / "nowhere"])
    with pytest.raises(CorpusError, match="empty list"):
        list_sources([])
