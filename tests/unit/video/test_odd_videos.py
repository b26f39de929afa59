"""Odd files one by one: exact frames and pictures where a video is whole, refusals in words where it is not."""

from __future__ import annotations

import logging
import os
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.video import container_headers, decode, integrity
from nrdfer.video.decode import iter_frames
from nrdfer.video.ffmpeg import ffmpeg_executable
from nrdfer.video.messages import read_complaints
from nrdfer.video.probe import probe
from tests.unit.odd_videos import FRAMES, HEIGHT, LEVELS, MPEG4, WIDTH, X264, Odd, encode, level_of, numbered

pytestmark = pytest.mark.slow

Corpus = tuple[Path, list[Odd]]


@pytest.fixture(scope="session")
def unusual(odd_videos: Corpus) -> Path:
    return odd_videos[0] / "unusual"


@pytest.fixture(scope="session")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """An AVI with its index, and an MP4 with its index first."""
    folder = tmp_path_factory.mktemp("whole")
    avi = encode(folder / "a.avi", numbered(), *MPEG4)
    mp4 = encode(folder / "a.mp4", numbered(), *X264, "-movflags", "+faststart")
    return {"avi": avi.read_bytes(), "mp4": mp4.read_bytes()}


def decoded(path: Path) -> list[np.ndarray]:
    notes: list[str] = []
    frames = list(iter_frames(path, notes=notes))
    assert notes == []
    return frames


def distance(a: np.ndarray, b: np.ndarray) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b).mean())


def test_each_file_decodes_to_all_its_frames_or_is_refused_in_words(odd_videos: Corpus) -> None:
    folder, odds = odd_videos
    for odd in odds:
        notes: list[str] = []
        if odd.status == "unreadable":
            with pytest.raises(UnreadableVideoError) as caught:
                list(iter_frames(folder / odd.name, notes=notes))
            assert str(caught.value).startswith(f"{folder / odd.name}: ")
            assert all(word in str(caught.value) for word in odd.words), caught.value
        else:
            assert sum(1 for _ in iter_frames(folder / odd.name, notes=notes)) == odd.frames, odd.name
            assert len(notes) == bool(odd.note), (odd.name, notes)
            assert odd.note in "".join(notes)


def test_the_probe_tells_the_size_that_frames_have(odd_videos: Corpus) -> None:
    folder, odds = odd_videos
    for odd in odds:
        if odd.status == "unreadable":
            continue
        frames = iter_frames(folder / odd.name, notes=[])
        height, width, _ = next(frames).shape
        frames.close()  # type: ignore[attr-defined]
        info = probe(folder / odd.name)
        assert (info.width, info.height) == (width, height), odd.name


@pytest.mark.parametrize(
    ("name", "count"),
    [
        *(("anamorphic.mp4", FRAMES), ("variable rate.mkv", FRAMES), ("4k.mp4", 3), ("single frame.avi", 1)),
        *(("odd sides.avi", FRAMES), ("grey.mp4", FRAMES), ("ten bits.mkv", FRAMES), ("cover picture.mp4", FRAMES)),
        ("two videos.mkv", FRAMES),
    ],
)
def test_every_frame_comes_back_once_and_in_order(unusual: Path, name: str, count: int) -> None:
    levels = [level_of(frame) for frame in decoded(unusual / name)]
    # neighbours differ by 20
    assert np.abs(np.array(levels) - LEVELS[:count]).max() < 4


def test_a_turned_video_is_set_upright(unusual: Path) -> None:
    turned, plain = decoded(unusual / "rotated.mp4"), decoded(unusual / "plain.mp4")
    assert max(distance(a, b) for a, b in zip(turned, plain, strict=True)) < 3
    assert min(distance(a, np.rot90(b, 2)) for a, b in zip(turned, plain, strict=True)) > 15
    command = [ffmpeg_executable(), "-v", "info", "-noautorotate", "-i", unusual / "rotated.mp4"]
    coded = subprocess.run([*command, "-f", "null", "-vf", "showinfo", "-"], capture_output=True, check=True)
    assert f"s:{HEIGHT}x{WIDTH}" in coded.stderr.decode()  # it does lie on its side


def test_wide_pixels_are_made_square(unusual: Path) -> None:
    # coded as 144 x 144 pixels of 4:3, the picture is the plain one again
    wide, plain = decoded(unusual / "anamorphic.mp4"), decoded(unusual / "plain.mp4")
    assert max(distance(a, b) for a, b in zip(wide, plain, strict=True)) < 6
    assert min(distance(a, b[::-1]) for a, b in zip(wide, plain, strict=True)) > 15  # what another picture gives
    info = probe(unusual / "anamorphic.mp4")
    assert (info.width, info.height) == (WIDTH, HEIGHT)


def test_the_video_of_variable_rate_is_one(unusual: Path) -> None:
    command = [
        ffmpeg_executable(),
        "-v",
        "error",
        "-i",
        unusual / "variable rate.mkv",
        "-r",
        "25",
        "-f",
        "framecrc",
        "-",
    ]
    listing = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert sum(not line.startswith("#") for line in listing.splitlines()) > 3 * FRAMES


def test_pictures_keep_their_size_and_content(unusual: Path) -> None:
    assert {frame.shape for frame in decoded(unusual / "4k.mp4")} == {(2160, 3840, 3)}
    assert {frame.shape for frame in decoded(unusual / "odd sides.avi")} == {(241, 321, 3)}
    assert {frame.shape for frame in decoded(unusual / "tiny.avi")} == {(16, 16, 3)}
    grey = decoded(unusual / "grey.mp4")
    assert max(int(np.ptp(frame, axis=2).max()) for frame in grey) == 0
    plain = decoded(unusual / "plain.mp4")
    for other in ("ten bits.mkv", "cover picture.mp4", "two videos.mkv"):
        assert max(distance(a, b) for a, b in zip(decoded(unusual / other), plain, strict=True)) < 2


def test_ten_thousand_frames_pass_through_little_memory(long_clip: Path) -> None:
    one_frame = 48 * 64 * 3
    count, ours, theirs = 0, [], []
    children_before = set(psutil.Process().children())
    tracemalloc.start()
    try:
        for frame in iter_frames(long_clip):
            assert frame.nbytes == one_frame
            # 20 + 10 * (number % 20)
            assert abs(level_of(frame) - (20 + 10 * (count % 20))) < 8, count
            count += 1
            if count == 1000:
                tracemalloc.reset_peak()
                ours.append(tracemalloc.get_traced_memory()[0])
            if count in (1000, 9000):
                (child,) = set(psutil.Process().children()) - children_before
                theirs.append(child.memory_info().rss)
        ours.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert count == 10_000
    all_of_them = 9000 * one_frame
    assert ours[1] - ours[0] < all_of_them / 10
    assert theirs[1] - theirs[0] < all_of_them / 4


def test_many_complaints_are_counted_not_kept(tmp_path: Path) -> None:
    lost = b"[dec:h264 @ 0x5651f4c0] [error] Error submitting packet to decoder: Invalid data found\n"
    lines = [b"[h264 @ 0x7f%08x] [error] error while decoding MB 3 4\n" % i for i in range(20_000)]
    lines += [lost] * 3 + [b"[in#0 @ 0x1] [verbose] partial file is no complaint at this level\n"]
    (tmp_path / "stderr").write_bytes(b"".join(lines))
    size = sum(map(len, lines))
    del lines
    tracemalloc.start()
    try:
        with (tmp_path / "stderr").open("rb") as stderr:
            found = read_complaints(stderr)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size / 10
    assert (found.lost_frames, found.cut_short) == (3, False)
    assert found.last == "; ".join(["[dec:h264] Error submitting packet to decoder: Invalid data found"] * 3)


def test_the_same_file_is_refused_in_the_same_words(odd_videos: Corpus) -> None:
    """ffmpeg's messages hold addresses that differ in each run; tables made from them must not."""
    said = set()
    for _ in range(2):
        with pytest.raises(UnreadableVideoError, match="damaged") as caught:
            list(iter_frames(odd_videos[0] / "broken" / "mostly damaged.mp4"))
        said.add(str(caught.value))
    assert len(said) == 1


def test_a_note_nobody_takes_is_logged(unusual: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        list(iter_frames(unusual / "slightly damaged.mp4"))
    assert "slightly damaged.mp4: damaged: 2 of 30 frames could not be decoded and are left out" in caplog.text


def test_frames_that_an_avi_leaves_empty_are_none_that_are_missing(tmp_path: Path) -> None:
    """Recorders write a chunk without bytes where a frame was dropped; the header counts it."""
    gaps = encode(tmp_path / "gaps.avi", numbered(), "-vf", "select='not(eq(mod(n,4),2))'", "-fps_mode", "vfr", *MPEG4)
    assert container_headers.stated_frames(gaps) == len(decoded(gaps)) == FRAMES - 2
    header = gaps.read_bytes().index(b"strh") + 8 + 32
    assert int.from_bytes(gaps.read_bytes()[header : header + 4], "little") == FRAMES


def test_containers_state_what_they_hold(odd_videos: Corpus, tmp_path: Path) -> None:
    plain = odd_videos[0] / "unusual" / "plain.mp4"
    assert container_headers.stated_frames(plain) == FRAMES
    assert container_headers.stated_bytes(plain) == plain.stat().st_size
    longer = tmp_path / "appended.mp4"
    longer.write_bytes(plain.read_bytes() + b"\xff\xff\xff\xffsome camera's own words")
    assert len(decoded(longer)) == FRAMES  # what follows the video is not the video's
    fragments = encode(tmp_path / "fragments.mp4", numbered(), *X264, "-movflags", "+frag_keyframe+empty_moov")
    assert container_headers.stated_frames(fragments) is None
    assert len(decoded(fragments)) == FRAMES
    assert container_headers.stated_frames(odd_videos[0] / "unusual" / "ten bits.mkv") is None


@given(
    st.sampled_from(["avi", "mp4"]), st.integers(0, 3000), st.binary(min_size=1, max_size=40), st.integers(0, 12_000)
)
@settings(max_examples=150, deadline=None)
def test_containers_that_lie_are_read_without_harm(
    whole_files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, kind: str, at: int, noise: bytes, end: int
) -> None:
    content = whole_files[kind][:end]
    path = tmp_path_factory.getbasetemp() / f"lying.{kind}"
    path.write_bytes(content[:at] + noise + content[at + len(noise) :])
    for stated in (container_headers.stated_bytes(path), container_headers.stated_frames(path)):
        assert stated is None or stated >= 0


def test_a_disk_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.mp4", numbered(), *X264)

    def fails(_: Path) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(integrity, "stated_bytes", fails)
    with pytest.raises(UnreadableVideoError, match=r"a\.mp4: cannot be read \(Input/output error\)"):
        list(iter_frames(path))


def test_a_picture_larger_than_any_camera_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.mp4", numbered(), *X264)
    monkeypatch.setattr(decode, "MAX_PIXELS", WIDTH * HEIGHT - 1)
    with pytest.raises(UnreadableVideoError, match=f"{WIDTH} x {HEIGHT} pixels are larger"):
        list(iter_frames(path))


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = encode(tmp_path / "private.mp4", numbered(), *X264)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("whoever runs the tests may read every file")
    with pytest.raises(UnreadableVideoError, match="Permission denied"):
        list(iter_frames(path))
