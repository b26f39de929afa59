"""A named pipe in the place of a user's file is refused in words; opening it would wait for a writer."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nrdfer.core.atomic_files import open_plain
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_yaml import read_settings
from nrdfer.corpora.labels import find_label_files
from nrdfer.corpora.picture_file import read_picture
from nrdfer.corpora.text_file import read_lines
from nrdfer.predict.result import UNREADABLE
from nrdfer.predict.video_output import Work, predict_one
from nrdfer.preprocessing.corpus_listing import hash_files
from nrdfer.preprocessing.folds import read_folds
from nrdfer.preprocessing.picture_listing import _hash_picture
from nrdfer.video.discovery import list_sources
from nrdfer.video.formats import read_head, video_format
from nrdfer.weights.catalogue import content_ids, refuse_pointer


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    def late(*_: object) -> None:
        raise AssertionError("still waiting after 5 s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(5)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def twin_labels(path: Path) -> None:
    """Beside a label file, another one for the same place."""
    folder = path.parent / "EmoLabel_DataSplit" / "train(single-labeled)"
    folder.mkdir(parents=True)
    (folder / "set_1.csv").write_text("video_name,label\n00001,1\n")
    pipe(folder / "train_set_1.csv")
    find_label_files(path.parent)


READERS: list[Callable[[Path], Any]] = [
    lambda path: hash_files([path]),
    lambda path: _hash_picture(str(path)),
    lambda path: read_settings(path, "the profile"),
    read_lines,
    twin_labels,
    read_folds,
    read_picture,
    read_head,
    video_format,
    content_ids,
    refuse_pointer,
]


@pytest.mark.parametrize("read", READERS)
def test_no_reader_waits(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    with pytest.raises((NrdferError, OSError), match="a pipe"):
        read(pipe(tmp_path / "a.mp4"))


def test_a_pipe_for_a_video_is_a_row(tmp_path: Path) -> None:
    found = list_sources([pipe(tmp_path / "a.mp4")])
    row = predict_one(found[0], Work(SimpleNamespace(emotions=EMOTIONS), tmp_path))  # type: ignore[arg-type]  # it is not asked
    assert row.status == UNREADABLE
    assert "it is a pipe or a device, not a file" in row.reason


def test_other_things_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        open_plain(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_plain(tmp_path / "missing")
    with pytest.raises(OSError, match="a pipe or a device"):
        open_plain("/dev/zero")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"content")
    with open_plain(tmp_path / "link") as file:
        assert file.read() == b"content"
