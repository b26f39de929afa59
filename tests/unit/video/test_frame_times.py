"""Times are the file's own, also where they are uneven, begin late, or are not stated."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.errors import UnreadableVideoError
from nrdfer.video.ffmpeg import ffmpeg_executable, passthrough_option
from nrdfer.video.times import frame_times
from tests.unit.odd_videos import FRAMES, X264, encode, ffmpeg, numbered

UNEVEN = [n * n if n % 3 else max(0.0, n * n - 0.9) for n in range(FRAMES)]  # in frames of 1/25 s


def write_uneven(folder: Path) -> Path:
    """Frames at uneven times, and a tone that begins before the first of them."""
    plain = encode(folder / "plain.mp4", numbered(), *X264)
    path = folder / "uneven.mkv"
    ffmpeg(
        *("-i", plain, "-f", "lavfi", "-i", "sine=duration=4", "-map", "0:v", "-map", "1:a", "-c:a", "aac"),
        *("-vf", "setpts='(12.5+if(mod(N,3),N*N,max(0,N*N-0.9)))/25/TB'"),
        *(f"-{passthrough_option(ffmpeg_executable())}", "passthrough", "-enc_time_base", "1:9000", *X264, path),
    )
    return path


def test_constant_rate(tmp_path: Path) -> None:
    times = frame_times(encode(tmp_path / "a.mp4", numbered(), *X264), FRAMES)
    assert times.starts == pytest.approx([i / 25 for i in range(FRAMES)])
    assert (times.end, times.fps, times.even, times.note) == (pytest.approx(0.4), pytest.approx(25), True, "")


def test_uneven_times_that_begin_late(tmp_path: Path) -> None:
    times = frame_times(write_uneven(tmp_path), FRAMES)
    # Matroska counts milliseconds
    assert times.starts == pytest.approx([0.5 + at / 25 for at in UNEVEN], abs=0.012)
    assert not times.even


def test_a_stream_without_times_runs_at_its_rate(tmp_path: Path) -> None:
    raw = encode(tmp_path / "raw.h264", numbered(), *X264, "-bf", "0", "-f", "h264")
    times = frame_times(raw, FRAMES)
    assert times.starts == pytest.approx([i / 25 for i in range(FRAMES)])


def test_another_number_of_frames_is_no_silent_shift(tmp_path: Path) -> None:
    video = encode(tmp_path / "a.mp4", numbered(), *X264)
    with pytest.raises(UnreadableVideoError, match="9 frames when it was decoded, 10 when"):
        frame_times(video, FRAMES - 1)
    with pytest.raises(ValueError, match="no times"):
        frame_times(video, 0)
