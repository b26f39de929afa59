"""An MP4 has the frames and the times it was given, and the sound of its source; or it is not there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from nrdfer.core.errors import NrdferError
from nrdfer.video.decode import iter_frames
from nrdfer.video.ffmpeg import ffmpeg_executable
from nrdfer.video.probe import probe
from nrdfer.video.timed_writer import TimedWriter
from nrdfer.video.timestamps import FrameTimes, frame_times
from tests.unit.odd_videos import FRAMES, HEIGHT, LEVELS, WIDTH, level_of, numbered
from tests.unit.video.test_timestamps import write_uneven


def listing(path: Path) -> str:
    return subprocess.run([ffmpeg_executable(), "-hide_banner", "-i", path], capture_output=True, text=True).stderr


def test_times_and_sound_are_those_of_the_source(tmp_path: Path) -> None:
    source, out = write_uneven(tmp_path), tmp_path / "out.mp4"
    times = frame_times(source, FRAMES)
    with TimedWriter(out, WIDTH, HEIGHT, times, sound=source) as writer:
        for picture in numbered():
            writer.write(picture)
    again = frame_times(out, FRAMES)
    assert again.starts == pytest.approx(times.starts, abs=2e-5)
    assert [level_of(frame) for frame in iter_frames(out)] == pytest.approx(LEVELS, abs=4)
    told = listing(out)
    assert "Audio: aac" in told
    assert "yuv420p" in told
    assert probe(out).codec == "h264"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_without_sound_and_at_an_even_rate(tmp_path: Path) -> None:
    times = FrameTimes(tuple(i / 25 for i in range(FRAMES)), FRAMES / 25, 25.0, even=True)
    with TimedWriter(tmp_path / "out.mp4", WIDTH, HEIGHT, times) as writer:
        for picture in numbered():
            writer.write(picture)
    assert "Audio" not in listing(tmp_path / "out.mp4")
    info = probe(tmp_path / "out.mp4")
    assert (info.fps, info.duration_s) == (25, pytest.approx(0.4, abs=0.011))


def test_a_player_shows_the_last_frames_of_a_variable_rate(tmp_path: Path) -> None:
    """The length of the track, at which players end, is that of all frames."""
    starts = (*(i / 50 for i in range(FRAMES - 4)), *(0.2 + i / 5 for i in range(4)))
    with TimedWriter(tmp_path / "out.mp4", WIDTH, HEIGHT, FrameTimes(starts, 1.0, 10.0, even=False)) as writer:
        for picture in numbered():
            writer.write(picture)
    assert probe(tmp_path / "out.mp4").duration_s == pytest.approx(1.0, abs=0.011)
    assert frame_times(tmp_path / "out.mp4", FRAMES).starts == pytest.approx(starts, abs=2e-5)


def test_nothing_appears_unless_it_is_whole(tmp_path: Path) -> None:
    times, out = FrameTimes((0.0, 0.1), 0.2, 10.0, even=True), tmp_path / "out.mp4"
    frame = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(NrdferError, match="1 of 2 frames"), TimedWriter(out, 64, 64, times) as writer:
        writer.write(frame)
    with pytest.raises(RuntimeError, match="mine"), TimedWriter(out, 64, 64, times) as writer:
        writer.write(frame)
        raise RuntimeError("mine")
    with pytest.raises(ValueError, match="times for 2 frames only"), TimedWriter(out, 64, 64, times) as writer:
        for _ in range(3):
            writer.write(frame)
    with pytest.raises(ValueError, match="frame is uint8"), TimedWriter(out, 64, 64, times) as writer:
        writer.write(frame[:32])
    with pytest.raises(ValueError, match="even sides, not 63 x 64"):
        TimedWriter(out, 63, 64, times)
    assert list(tmp_path.iterdir()) == []
