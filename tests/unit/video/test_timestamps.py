"""Times are the file's own, also where they are uneven, begin late, or are not stated."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.video.ffmpeg import ffmpeg_executable, passthrough_option
from nrdfer.video.probe import parse_listing
from nrdfer.video.timestamps import filled, frame_times, rising
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


def strip_rate(path: Path) -> Path:
    """Take the length of a frame out of a WebM's header, as browsers leave it."""
    content = path.read_bytes()
    at = content.index(bytes.fromhex("23e383"))
    length = 4 + (content[at + 3] & 0x7F)
    path.write_bytes(content[:at] + b"\xec" + bytes([0x80 | length - 2]) + bytes(length - 2) + content[at + length :])
    return path


def test_one_equal_stamp_does_not_cost_all_times(tmp_path: Path) -> None:
    """Two frames with one stamp in a recording of a browser, which states no rate."""
    plain = encode(tmp_path / "plain.mp4", numbered(levels=[20 + 2 * i for i in range(72)]), *X264)
    webm = tmp_path / "browser.webm"
    late = "setpts='floor((if(eq(N,40),39,N))*33.37)/1000/TB'"
    ffmpeg(
        *("-i", plain, "-vf", late),
        *(f"-{passthrough_option(ffmpeg_executable())}", "passthrough", "-enc_time_base", "1/1000"),
        *("-c:v", "libvpx", "-f", "webm", "-live", "1", webm),
    )
    times = frame_times(strip_rate(webm), 72)
    assert times.end == pytest.approx(2.4, abs=0.04)
    assert times.fps == pytest.approx(30, abs=0.5)
    assert all(a < b for a, b in itertools.pairwise(times.starts))
    assert "1 of 72 frames do not rise" in times.note
    listing = "  Stream #0:0: Video: vp8, yuv420p(tv, progressive), 640x360, SAR 1:1 DAR 16:9, 1k tbr, 1k tbn"
    info = parse_listing(listing)
    assert info is not None and info.fps == 0  # and not 1000, the ticks of its clock


@given(st.lists(st.one_of(st.none(), st.integers(0, 10_000)), min_size=1, max_size=60))
def test_filled_times_always_rise(stamps: list[int | None]) -> None:
    kept = rising(stamps)
    chosen = [stamps[place] for place in kept]
    assert all(a < b for a, b in itertools.pairwise(chosen))  # type: ignore[operator]
    if len(kept) >= 2:
        times = filled(stamps, kept)
        assert len(times) == len(stamps)
        assert all(a < b for a, b in itertools.pairwise(times))
        assert times[0] >= 0


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([0, 1, 1, 3, 4], [0, 1, 2, 3, 4]),
        ([0, 1, 3, 2, 4], None),  # swapped: one of both is moved
        ([0, 1, None, 3, 4], [0, 1, 2, 3, 4]),
        ([0, 1, 90, 3, 4], [0, 1, 2, 3, 4]),
        ([9, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
        ([0, 1, 2, 3, 1], [0, 1, 2, 3, 4]),
    ],
)
def test_a_stamp_out_of_order_is_set_between_its_neighbours(stamps: list[int | None], expected: list[float]) -> None:
    times = filled(stamps, rising(stamps))
    if expected is None:
        assert times[:2] == [0, 1] and times[4] == 4
    else:
        assert times == pytest.approx(expected)
