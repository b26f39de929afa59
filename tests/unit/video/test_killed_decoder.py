"""A decoder that was ended from elsewhere says nothing about its video; one that crashed does."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from nrdfer.core.errors import MachineError, NrdferError, UnreadableVideoError
from nrdfer.video import decode
from nrdfer.video.decode import iter_frames
from nrdfer.video.ffmpeg import offers
from tests.unit.odd_videos import X264, Odd, encode, numbered


@pytest.fixture(scope="session")
def unusual(odd_videos: tuple[Path, list[Odd]]) -> Path:
    return odd_videos[0] / "unusual"


def test_an_ffmpeg_that_is_killed_is_told(unusual: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "ffmpeg"
    script.write_text('#!/bin/sh\ncase "$*" in *file:*) kill -9 $$;; esac\n')
    script.chmod(0o755)
    monkeypatch.setattr(decode, "ffmpeg_executable", lambda: str(script))
    with pytest.raises(MachineError, match=r"plain\.mp4: ffmpeg was killed by signal 9 \(SIGKILL\) after 0 frames"):
        list(iter_frames(unusual / "plain.mp4"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_ffmpeg_that_somebody_ends_says_nothing_about_the_video(tmp_path: Path, number: signal.Signals) -> None:
    side = 256  # more than a pipe holds, so that ffmpeg is still there after the first frame
    path = encode(tmp_path / "a.mp4", numbered(side, side, [50] * 20), *X264, size=(side, side))
    frames = iter_frames(path)
    next(frames)
    # other tests in this process may have children of their own
    (ffmpeg,) = (child for child in psutil.Process().children() if any(str(path) in word for word in child.cmdline()))
    ffmpeg.send_signal(number)
    with pytest.raises(MachineError, match="not the video's fault"):
        list(frames)
    assert len(list(iter_frames(path))) == 20


def test_an_ffmpeg_that_crashes_over_a_video_says_that_of_the_video(
    unusual: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "ffmpeg"
    script.write_text('#!/bin/sh\ncase "$*" in *file:*) kill -SEGV $$;; esac\n')
    script.chmod(0o755)
    monkeypatch.setattr(decode, "ffmpeg_executable", lambda: str(script))
    with pytest.raises(UnreadableVideoError, match=r"plain\.mp4: ffmpeg crashed with signal 11") as told:
        list(iter_frames(unusual / "plain.mp4"))
    assert not isinstance(told.value, MachineError)


def test_a_look_at_a_video_that_is_killed_does_not_change_its_pictures(
    unusual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is interlaced or HDR comes from that look."""

    def killed(path: Path) -> str:
        raise MachineError(f"{path}: ffmpeg was killed")

    monkeypatch.setattr(decode, "listing_of", killed)
    with pytest.raises(MachineError):
        list(iter_frames(unusual / "plain.mp4"))


def test_a_killed_ffmpeg_gives_no_answer_that_is_kept(tmp_path: Path) -> None:
    script = tmp_path / "ffmpeg"
    script.write_text("#!/bin/sh\nkill -9 $$\n")
    script.chmod(0o755)
    with pytest.raises(NrdferError, match="was killed by signal 9 while its features were listed"):
        offers(str(script), "codecs")
