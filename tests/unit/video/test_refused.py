"""A system that cannot open a video now says nothing about the video; one that says what is wrong with it does."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nrdfer.core.errors import MachineError, UnreadableVideoError
from nrdfer.video.formats import read_head
from nrdfer.video.refused import refused
from tests.unit.file_handles import no_file_handle_left


def test_no_file_handle_left_says_nothing_about_the_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"anything")
    with no_file_handle_left(), pytest.raises(MachineError, match=r"a\.mp4: cannot be opened \(Too many open files\)"):
        read_head(path)
    assert read_head(path) == b"anything"


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EIO, errno.EISDIR, errno.ELOOP])
def test_what_is_wrong_with_the_video_is_said_of_it(number: int) -> None:
    told = refused(Path("a.mp4"), OSError(number, os.strerror(number)), "cannot be read ({}); is its disk healthy?")
    assert type(told) is UnreadableVideoError
    assert str(told) == f"a.mp4: cannot be read ({os.strerror(number)}); is its disk healthy?"
