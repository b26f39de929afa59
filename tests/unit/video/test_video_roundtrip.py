"""Encoding, probing and decoding real files with the real ffmpeg."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from nrdfer.core.errors import NrdferError, UnreadableVideoError
from nrdfer.video import decode
from nrdfer.video.constant_rate_writer import VideoWriter
from nrdfer.video.decode import decode_command, iter_frames
from nrdfer.video.ffmpeg import ffmpeg_executable, passthrough_option
from nrdfer.video.probe import parse_listing, probe

WIDTH, HEIGHT = 96, 64
LEVELS = [10 + 8 * i for i in range(25)]


def write_levels(path: Path, levels: list[int] = LEVELS, codec: str = "mjpeg", **kw: float) -> Path:
    with VideoWriter(path, WIDTH, HEIGHT, kw.get("fps", 25), codec) as writer:  # type: ignore[arg-type]
        for level in levels:
            frame = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
            frame[: HEIGHT // 2, : WIDTH // 2] = (
                220,
                20,
                20,
            )  # red, top left: shows turns and swapped channels
            writer.write(frame)
    return path


def level_of(frame: np.ndarray) -> float:
    return float(frame[-16:, -16:].mean())


def run_ffmpeg(*arguments: str) -> None:
    subprocess.run([ffmpeg_executable(), "-v", "error", "-y", *arguments], check=True)


@pytest.mark.parametrize(("codec", "suffix"), [("mpeg4", ".avi"), ("libx264", ".mp4"), ("mjpeg", ".avi")])
def test_every_frame_comes_back_once_in_order_and_colour(tmp_path: Path, codec: str, suffix: str) -> None:
    path = write_levels(tmp_path / f"clip{suffix}", codec=codec)
    frames = list(iter_frames(path))
    assert np.abs(np.array([level_of(f) for f in frames]) - LEVELS).max() < 6
    assert np.abs(frames[0][8:24, 8:40].mean((0, 1)) - (220, 20, 20)).max() < 20
    info = probe(path)
    assert (info.width, info.height, info.rotation, info.fps) == (WIDTH, HEIGHT, 0, 25)
    assert info.duration_s == pytest.approx(1.0, abs=0.1)


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    for codec, suffix in (("mpeg4", ".avi"), ("libx264", ".mp4")):
        first = write_levels(tmp_path / f"a{suffix}", codec=codec).read_bytes()
        assert write_levels(tmp_path / f"b{suffix}", codec=codec).read_bytes() == first


def test_a_failed_or_empty_recording_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), VideoWriter(tmp_path / "a.mp4", WIDTH, HEIGHT, 25, "libx264") as writer:
        writer.write(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        raise KeyError("the caller's own trouble")
    with pytest.raises(NrdferError, match=r"no frame|exit status"), VideoWriter(tmp_path / "b.avi", 8, 8, 25):
        pass
    assert list(tmp_path.iterdir()) == []


def test_writer_refuses_wrong_input(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even sides"):
        VideoWriter(tmp_path / "a.mp4", 33, 32, 25, "libx264")
    with pytest.raises(ValueError, match="not one of"):
        VideoWriter(tmp_path / "a.mp4", 32, 32, 25, "vp9")  # type: ignore[arg-type]
    with (
        pytest.raises(ValueError, match="the video is uint8"),
        VideoWriter(tmp_path / "a.avi", 32, 32, 25) as writer,
    ):
        writer.write(np.zeros((32, 32, 3), np.float32))  # type: ignore[arg-type]


def test_writer_reports_an_ffmpeg_that_dies(tmp_path: Path) -> None:
    with (
        pytest.raises(NrdferError, match="ffmpeg"),
        VideoWriter(tmp_path / "a.notacontainer", 64, 64, 25) as writer,
    ):
        for _ in range(200):
            writer.write(np.zeros((64, 64, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_metadata_is_applied(tmp_path: Path, turn: int) -> None:
    flat = write_levels(tmp_path / "flat.mp4", codec="libx264")
    run_ffmpeg("-display_rotation", str(turn), "-i", str(flat), "-c", "copy", str(tmp_path / "turned.mp4"))
    turned = list(iter_frames(tmp_path / "turned.mp4"))
    # display_rotation turns counter-clockwise, as np.rot90 does
    expected = [np.rot90(frame, turn // 90) for frame in iter_frames(flat)]
    assert len(turned) == len(expected) == len(LEVELS)
    assert all(a.shape == b.shape for a, b in zip(turned, expected, strict=True))
    worst = max(np.abs(a.astype(int) - b).mean() for a, b in zip(turned, expected, strict=True))
    assert worst < 3
    info = probe(tmp_path / "turned.mp4")
    assert (info.height, info.width) == expected[0].shape[:2]
    assert info.rotation == -turn % 360


def test_non_square_pixels_are_widened(tmp_path: Path) -> None:
    flat = write_levels(tmp_path / "flat.mp4", codec="libx264")
    run_ffmpeg("-i", str(flat), "-c:v", "libx264", "-vf", "setsar=4/3", str(tmp_path / "wide.mp4"))
    frames = list(iter_frames(tmp_path / "wide.mp4"))
    assert frames[0].shape == (HEIGHT, 128, 3)
    assert len(frames) == len(LEVELS)
    assert probe(tmp_path / "wide.mp4").width == 128


def test_variable_frame_rate_neither_adds_nor_loses_frames(tmp_path: Path) -> None:
    flat = write_levels(tmp_path / "flat.mp4", codec="libx264")
    # squeeze every third frame against the one before it and stretch the rest
    option = passthrough_option(ffmpeg_executable())
    run_ffmpeg(
        *("-i", str(flat), "-vf", "setpts='if(mod(N,3),N,N-0.9)/25/TB'", f"-{option}", "passthrough"),
        *("-enc_time_base", "1:9000", "-c:v", "libx264", str(tmp_path / "vfr.mkv")),
    )
    levels = [level_of(frame) for frame in iter_frames(tmp_path / "vfr.mkv")]
    assert len(levels) == len(LEVELS)
    assert np.abs(np.array(levels) - LEVELS).max() < 6


def test_files_that_are_no_videos_say_why(tmp_path: Path) -> None:
    cases = {
        "empty.mp4": (b"", "empty"),
        "notes.txt": (b"just a text\n" * 50, "text file"),
        "list.m3u8": (b"#EXTM3U\nhttp://127.0.0.1/x.ts\n", "text file"),
        "pointer.mp4": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "LFS pointer"),
        "noise.mp4": (np.random.default_rng(0).bytes(20_000), "no video format that is read here"),
        "no index.mp4": (b"\0\0\0\x08ftyp" + np.random.default_rng(0).bytes(20_000), "no index|cut short"),
        "noise.avi": (b"RIFF\0\0\0\0AVI " + np.random.default_rng(1).bytes(20_000), "no video stream"),
    }
    for name, (content, word) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UnreadableVideoError, match=word) as caught:
            list(iter_frames(path))
        assert str(path) in str(caught.value)
        with pytest.raises(UnreadableVideoError):
            probe(path)
    with pytest.raises(UnreadableVideoError, match="cannot be opened"):
        list(iter_frames(tmp_path / "absent.mp4"))
    with pytest.raises(UnreadableVideoError, match="cannot be opened"):
        list(iter_frames(tmp_path))


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=0.3", str(tmp_path / "sound.wav"))
    with pytest.raises(UnreadableVideoError, match="no video stream"):
        list(iter_frames(tmp_path / "sound.wav"))
    with pytest.raises(UnreadableVideoError, match="no video stream"):
        probe(tmp_path / "sound.wav")


@pytest.mark.parametrize("name", ["a.avi", "b.mp4"])
def test_a_file_cut_short_is_refused_not_shortened(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(1)
    whole = tmp_path / name
    with VideoWriter(whole, 128, 128, 25, "mpeg4") as writer:
        for _ in range(20):
            writer.write(rng.integers(0, 255, (128, 128, 3)).astype(np.uint8))
    if name.endswith("mp4"):  # the index first, so that the start alone can be played
        run_ffmpeg("-i", str(whole), "-c", "copy", "-movflags", "faststart", str(tmp_path / "fast.mp4"))
        whole = tmp_path / "fast.mp4"
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) * 6 // 10])
    with pytest.raises(UnreadableVideoError, match=r"cut short|exit status"):
        list(iter_frames(whole))


def test_an_early_stop_ends_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def remember(*args, **kwargs):  # type: ignore[no-untyped-def]
        started.append(real(*args, **kwargs))
        return started[-1]

    path = write_levels(tmp_path / "a.avi")
    monkeypatch.setattr(decode.subprocess, "Popen", remember)
    frames = iter_frames(path)
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    assert started[-1].poll() is not None


def test_names_that_look_like_options_or_patterns(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "-i 50%03d:a'b ü.avi")
    assert sum(1 for _ in iter_frames(path)) == len(LEVELS)


def test_an_old_ffmpeg_gets_the_old_option(tmp_path: Path) -> None:
    old = tmp_path / "ffmpeg"
    old.write_text("#!/bin/sh\necho '-vsync  video sync method'\n")
    old.chmod(0o755)
    assert passthrough_option(str(old)) == "vsync"
    (tmp_path / "a.avi").write_bytes(b"RIFF\0\0\0\0AVI ")
    assert "-vsync" in decode_command(tmp_path / "a.avi", str(old))
    new = tmp_path / "ffmpeg5"
    new.write_text("#!/bin/sh\necho '-vsync x'\necho '-fps_mode[:<stream_spec>] set framerate mode'\n")
    new.chmod(0o755)
    assert "-fps_mode" in decode_command(tmp_path / "a.avi", str(new))


def test_listing_of_a_phone_video_with_cover_picture() -> None:
    listing = """Input #0, mov,mp4, from 'x.mov':
  Duration: 00:01:06.42, start: 0.000000, bitrate: 1649 kb/s
  Stream #0:0[0x1](und): Video: mjpeg (Baseline), yuvj420p, 300x300, 90k tbr (attached pic)
  Stream #0:1[0x2](und): Video: hevc (Main), yuv420p, 720x576 [SAR 16:15 DAR 4:3], 26.40 fps, 30 tbr
      Side data:
        displaymatrix: rotation of -90.00 degrees
  Stream #0:2[0x3](und): Audio: aac, 48000 Hz
"""
    info = parse_listing(listing)
    assert info is not None
    # turned: 576 x 720 with pixels 15:16
    assert (info.width, info.height, info.rotation) == (540, 720, 90)
    assert (info.fps, info.codec, info.duration_s) == (26.4, "hevc", pytest.approx(66.42))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("short_hamilton_clip.mp4", 275),
        ("pyfeat_face_noface.mov", 169),
        ("pyfeat_noface_face.mov", 169),
        ("pyfeat_no_face.mp4", 95),
        ("pyfeat_single_face.mp4", 72),
    ],
)
def test_real_clips_decode_to_their_coded_frames(shared_dir: Path, name: str, count: int) -> None:
    assert sum(1 for _ in iter_frames(shared_dir / "clips" / name)) == count
