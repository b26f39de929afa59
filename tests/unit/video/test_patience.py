"""Who is to blame for a picture that does not come: a video that keeps ffmpeg busy, or a machine without time to."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nrdfer.core.errors import MachineError, UnreadableVideoError
from nrdfer.video import decode, patience, probe
from nrdfer.video.ffmpeg import ffmpeg_executable
from tests.unit.odd_videos import X264, encode, numbered


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (decode, probe):
        monkeypatch.setattr(module, "LOOK", 0.05)
        monkeypatch.setattr(module, "PATIENCE", 0.3)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return encode(tmp_path / "a.mp4", numbered(64, 64, [50] * 4), *X264, size=(64, 64))


@pytest.fixture
def sleepy(tmp_path: Path) -> str:
    """An ffmpeg that answers questions, and sleeps over every video."""
    script = tmp_path / "ffmpeg"
    script.write_text(f'#!/bin/sh\ncase "$*" in *file:*) exec sleep 99;; *) exec {ffmpeg_executable()} "$@";; esac\n')
    script.chmod(0o755)
    return str(script)


@pytest.fixture
def spinning() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-SEc", "while True: pass"]) as process:
        yield process
        process.kill()


@pytest.fixture
def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-SEc", "import time; time.sleep(99)"]) as process:
        yield process
        process.kill()


def _until_over(process: subprocess.Popen[bytes], seconds: float) -> None:
    told = patience.Patience(Path("a.mp4"), process, seconds)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        told.check("given a picture")
        time.sleep(0.02)


def test_a_video_that_keeps_ffmpeg_busy_is_unreadable(spinning: subprocess.Popen[bytes]) -> None:
    with pytest.raises(UnreadableVideoError, match=r"a\.mp4: ffmpeg has worked for 1 seconds and not given") as told:
        _until_over(spinning, 1.0)
    assert not isinstance(told.value, MachineError)


def test_a_machine_without_time_says_nothing_about_the_video(sleeping: subprocess.Popen[bytes]) -> None:
    with pytest.raises(MachineError, match=r"had 0 seconds of the processor and has not given.*it is not excluded"):
        _until_over(sleeping, 0.2)


def test_what_comes_begins_the_count_anew(sleeping: subprocess.Popen[bytes]) -> None:
    told = patience.Patience(Path("a.mp4"), sleeping, 0.02)
    for _ in range(4):
        time.sleep(0.1)
        told.renew()
        told.check("given a picture")


def test_a_process_that_has_ended_is_not_asked_for_its_time(sleeping: subprocess.Popen[bytes]) -> None:
    told = patience.Patience(Path("a.mp4"), sleeping, 1.0)
    told.check("given a picture")
    sleeping.kill()
    sleeping.wait()
    told.check("given a picture")


def test_a_look_that_gets_no_time_keeps_nothing(video: Path, sleepy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "executable_for", lambda *_: sleepy)
    with pytest.raises(MachineError, match="has not listed its content"):
        probe.probe(video)


def test_a_picture_that_gets_no_time_keeps_nothing(video: Path, sleepy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PATIENCE", 60.0)
    monkeypatch.setattr(decode, "ffmpeg_executable", lambda: sleepy)
    with pytest.raises(MachineError, match=r"a\.mp4: in 3 seconds .* has not given a picture"):
        list(decode.iter_frames(video))
