"""Listing videos and naming clips."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.core.errors import CorpusError
from nrdfer.video.discovery import clip_id_of, distinct, list_sources


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


def test_what_a_folder_holds_besides_is_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.mp4", "b.txt", "c.srt", "d.txt", "e.json", "f.jpg", "README"):
        touch(tmp_path / name)
    said: list[str] = []
    assert [s.path.name for s in list_sources([tmp_path], left_out=said)] == ["a.mp4"]
    (sentence,) = said
    assert sentence.startswith(f"{tmp_path}: 6 of 7 files are left out: they are not videos (2 .txt, ")
    assert "1 without a suffix" in sentence
    list_sources([tmp_path])
    assert [record.message for record in caplog.records] == said
    list_sources([tmp_path / "a.mp4"], left_out=said)
    assert len(said) == 1


def test_videos_are_found_by_their_first_bytes_where_the_suffix_says_nothing(tmp_path: Path) -> None:
    beginnings = {
        "a.gif": b"GIF89a",
        "b": b"\x1a\x45\xdf\xa3",
        "c.download": b"\0\0\0\x20ftypisom",
        "d.png": b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + b"acTL",  # an animated one
        "e.dat": b"\0\0\x01\xba",
        "no.png": b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + b"IDAT",
        "no.bin": b"\0" * 100,
        "no.webp": b"RIFF\0\0\0\0WEBPVP8 ",
    }
    for name, content in beginnings.items():
        (tmp_path / name).write_bytes(content)
    said: list[str] = []
    found = [s.path.name for s in list_sources([tmp_path], left_out=said)]
    assert found == ["a.gif", "b", "c.download", "d.png", "e.dat"]
    assert "3 of 8 files" in said[0]


@pytest.mark.parametrize("suffix", ["3g2", "divx", "f4v", "h264", "m2v", "mjpeg", "mxf", "rm", "y4m"])
def test_rarer_suffixes_of_videos_are_known(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path / f"a.{suffix}")
    assert len(list_sources([tmp_path], left_out=[])) == 1


def test_nothing_but_other_files_is_an_error_that_counts_them(tmp_path: Path) -> None:
    touch(tmp_path / "a.txt")
    with pytest.raises(CorpusError, match=r"there is no video in .*1 of 1 files are left out.*1 \.txt"):
        list_sources([tmp_path])


def test_linked_folders_are_entered_and_circles_end(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    touch(elsewhere / "deep/b.mp4")
    (elsewhere / "deep/back").symlink_to(tmp_path)
    corpus = tmp_path / "corpus"
    touch(corpus / "z/a.mp4")
    (corpus / "link").symlink_to(elsewhere)
    (corpus / "self").symlink_to(corpus)
    (corpus / "y").symlink_to(corpus / "z")
    sources = list_sources([corpus])
    # a video in a real folder is called by its own place
    assert [str(s.path.relative_to(corpus)) for s in sources] == ["link/deep/b.mp4", "z/a.mp4"]


def test_naming_many_videos_of_one_stem_is_linear() -> None:
    """Each name is tried once: 100,000 videos of one stem cost 100,000 looks, not five thousand million."""
    count = 100_000
    looks = 0

    class Counted(str):
        def casefold(self) -> str:
            return self

        def __format__(self, _: str) -> str:
            nonlocal looks
            looks += 1
            assert looks < 2 * count, "a name is tried again for every video that has it"
            return str(self)

    ids = {source.clip_id for source in distinct([(Path("clip.mp4"), Counted("clip"))] * count)}
    assert len(ids) == count
