"""DFEW's importer: layouts of every known copy, and readable refusals. Label files: ``test_labels``."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.corpora.dfew import find_frames, frame_names, read_dfew
from nrdfer.corpora.labels import read_labels
from nrdfer.corpora.published import DFEW_EMOTIONS
from tests.unit.corpora.dfew_folders import (
    CLIPS,
    write_frames,
    write_labels,
)
from tests.unit.file_handles import no_file_handle_left


def test_reads_clips_folds_and_emotions(dfew: Path) -> None:
    corpus = read_dfew(dfew)
    assert [clip.clip_id for clip in corpus.clips] == [f"{i:05d}" for i in range(1, CLIPS + 1)]
    assert [clip.emotion for clip in corpus.clips] == [EMOTIONS[i % 7] for i in range(CLIPS)]
    assert corpus.clips[4].names == ("00005_00001.jpg", "00005_00002.jpg", "00005_00003.jpg")
    assert corpus.clips[4].frames[0] == dfew / "Clip" / "clip_224x224" / "00005" / "00005_00001.jpg"
    assert corpus.excluded == []
    assert corpus.folder == dfew / "Clip" / "clip_224x224"
    for k, fold in corpus.folds.items():
        assert fold.test == tuple(f"{i:05d}" for i in range(7 * k - 6, 7 * k + 1))
        assert len(fold.train) == CLIPS - 7


def test_the_folder_above_dfew_is_accepted(dfew: Path) -> None:
    assert read_dfew(dfew.parent) == read_dfew(dfew)


@pytest.mark.parametrize(
    "layout", ["Clip/clip_224x224", "Clip/clip_224x224/clip_224x224", "Clip/jpg_256", "Clip/jpg_224", "data"]
)
@pytest.mark.parametrize("padded", [True, False])
def test_every_layout_of_pictures(tmp_path: Path, layout: str, padded: bool) -> None:
    write_labels(tmp_path)
    write_frames(tmp_path / layout, padded=padded)
    corpus = read_dfew(tmp_path)
    assert corpus.folder == tmp_path / layout
    assert [clip.n_frames for clip in corpus.clips] == [3] * CLIPS


def test_an_empty_layout_does_not_hide_a_full_one(tmp_path: Path) -> None:
    (tmp_path / "Clip" / "clip_224x224").mkdir(parents=True)
    write_frames(tmp_path / "Clip" / "jpg_256", [1])
    assert find_frames(tmp_path) == (tmp_path, tmp_path / "Clip" / "jpg_256")


def test_pictures_resampled_to_16_frames_are_refused(tmp_path: Path) -> None:
    write_labels(tmp_path)
    write_frames(tmp_path / "Clip" / "clip_224x224_16f", n=16)
    with pytest.raises(CorpusError, match=r"clip_224x224_16f.*time interpolation.*unpack DFEW's clip_224x224"):
        read_dfew(tmp_path)


def test_16_frames_everywhere_raise_a_suspicion(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_labels(tmp_path)
    write_frames(tmp_path / "Clip" / "clip_224x224", n=16)
    read_dfew(tmp_path)
    assert "time-interpolated" in caplog.text


def test_frames_come_in_natural_order_and_only_pictures_count(tmp_path: Path) -> None:
    for name in ["10.jpg", "9.jpg", "100.JPG", "1.png", "._2.jpg", "Thumbs.db", "2.txt"]:
        (tmp_path / name).write_bytes(b"x")
    assert frame_names(tmp_path) == ("1.png", "9.jpg", "10.jpg", "100.JPG")
    assert frame_names(tmp_path / "missing") == ()


@given(st.sets(st.integers(0, 10**6), min_size=1, max_size=30), st.sampled_from(["", "00017_", "frame", "7a"]))
def test_natural_order_is_the_order_of_the_numbers(
    tmp_path_factory: pytest.TempPathFactory, numbers: set[int], prefix: str
) -> None:
    folder = tmp_path_factory.mktemp("clip")
    for number in numbers:
        (folder / f"{prefix}{number}.jpg").write_bytes(b"x")
    assert frame_names(folder) == tuple(f"{prefix}{number}.jpg" for number in sorted(numbers))


def test_labelled_clips_without_pictures_are_set_aside_with_a_reason(
    dfew: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(dfew / "Clip" / "clip_224x224" / "00003")
    for path in (dfew / "Clip" / "clip_224x224" / "00009").iterdir():
        path.unlink()
    with caplog.at_level(logging.WARNING):
        corpus = read_dfew(dfew)
    assert [clip_id for clip_id, _ in corpus.excluded] == ["00003", "00009"]
    assert "does not exist" in corpus.excluded[0][1]
    assert "holds no picture" in corpus.excluded[1][1]
    assert len(corpus.clips) == CLIPS - 2
    assert "2 of 35 labelled clips have no pictures" in caplog.text
    assert "00003" in corpus.folds[1].test  # folds stay as labelled


def test_unlabelled_pictures_are_left_alone(dfew: Path) -> None:
    write_frames(dfew / "Clip" / "clip_224x224", [16000])
    assert len(read_dfew(dfew).clips) == CLIPS


def test_a_machine_that_can_open_nothing_leaves_no_clip_out(dfew: Path) -> None:
    clip = read_dfew(dfew).clips[0]
    with no_file_handle_left(), pytest.raises(CorpusError, match=r"cannot be read now: Too many open files"):
        frame_names(clip.folder)
    assert frame_names(clip.folder) == clip.names


def test_a_half_copied_corpus_is_one_error(dfew: Path) -> None:
    for clip in range(20, CLIPS + 1):
        shutil.rmtree(dfew / "Clip" / "clip_224x224" / f"{clip:05d}")
    with pytest.raises(CorpusError, match=r"only 19 of the 35 .* first missing: 00020.* copy or unpack the rest"):
        read_dfew(dfew)


def test_a_missing_folder_an_empty_folder_and_a_packed_archive(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="does not exist"):
        read_dfew(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match=r"lacks all label files.*EmoLabel_DataSplit"):
        read_dfew(tmp_path)
    write_labels(tmp_path)
    with pytest.raises(CorpusError, match=r"no face pictures.*Clip/clip_224x224.*Unpack"):
        read_dfew(tmp_path)
    (tmp_path / "Clip").mkdir()
    (tmp_path / "Clip" / "clip_224x224.zip").write_bytes(b"PK")
    with pytest.raises(CorpusError, match=r"clip_224x224\.zip is still packed"):
        read_dfew(tmp_path)


@pytest.fixture(scope="module")
def full_size(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real labels, with one made-up picture a clip (a link to one file)."""
    root = tmp_path_factory.mktemp("full") / "DFEW"
    shutil.copytree(shared_dir / "annotations" / "dfew_csv", root / "EmoLabel_DataSplit")
    picture = root / "picture.jpg"
    picture.write_bytes(b"picture")
    for fold in read_labels(root).values():
        for clip_id in fold.test:
            folder = root / "Clip" / "clip_224x224" / clip_id
            folder.mkdir(parents=True)
            (folder / f"{clip_id}_00001.jpg").hardlink_to(picture)
    return root


def test_a_corpus_of_full_size(full_size: Path) -> None:
    corpus = read_dfew(full_size)
    assert len(corpus.clips) == 11_697
    assert Counter(clip.emotion for clip in corpus.clips) == DFEW_EMOTIONS
    assert sum(len(fold.test) for fold in corpus.folds.values()) == 11_697
    assert corpus.excluded == []


def test_a_picture_that_is_no_file_sets_its_clip_aside_and_the_others_go_on(dfew: Path) -> None:
    clips = dfew / "Clip" / "clip_224x224"
    (clips / "00003" / "00003_00009.jpg").symlink_to(dfew / "nowhere.jpg")
    (clips / "00004" / "a.png").mkdir()
    shutil.rmtree(clips / "00005")
    corpus = read_dfew(dfew)
    reasons = dict(corpus.excluded)
    assert set(reasons) == {"00003", "00004", "00005"}
    assert "00003_00009.jpg, which is a folder, a pipe, or a broken link" in reasons["00003"]
    assert "holds a.png, which is a folder" in reasons["00004"]
    assert "does not exist" in reasons["00005"]
    assert len(corpus.clips) == CLIPS - 3


def test_two_folders_of_one_clip_are_refused_and_neither_wins(dfew: Path) -> None:
    write_frames(dfew / "Clip" / "clip_224x224", [7], padded=False)
    with pytest.raises(CorpusError, match=r"00007 and .*/7 are both clip 00007: remove one"):
        read_dfew(dfew)
