"""Odd video files, made with the real ffmpeg, and what shall become of each.

The pictures show a rendered face that the sample detector finds, and a grey patch whose level numbers the frame, so
that tests can tell whether each frame came back once and in order. Judging the outcome belongs to the tests.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.corpora.synthetic.expression import ACTIONS
from nrdfer.corpora.synthetic.face import render_face
from nrdfer.corpora.synthetic.identity import draw_identity
from nrdfer.video.ffmpeg import ffmpeg_executable, passthrough_option
from tests.unit.staged_scene import Placement, render_scene

WIDTH, HEIGHT = 192, 144
FRAMES = 10
PATCH = 24  # side of the numbered patch in the lower right corner, pixels of a 192 x 144 picture
LEVELS = tuple(20 + 20 * i for i in range(FRAMES))

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Odd:
    """One odd file: what shall become of it.

    Attributes:
        name: below the folder.
        status: "ok", "no_face" or "unreadable".
        frames: how many it decodes to; 0 if it is refused.
        words: what the reason must say.
        note: what the note of a usable video must say.
    """

    name: str
    status: str
    frames: int
    words: tuple[str, ...] = ()
    note: str = ""


@lru_cache
def portrait(width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """A rendered person in the middle of a picture."""
    who = draw_identity(np.random.default_rng(1))
    face = render_face(who, np.zeros(len(ACTIONS), np.float32))
    base = Placement(face, who, (WIDTH / 2, HEIGHT * 0.48), 90.0)
    picture = render_scene(np.random.default_rng(1), [base], width=WIDTH, height=HEIGHT).rgb
    return picture if (width, height) == (WIDTH, HEIGHT) else _resized(picture, width, height)


def _resized(picture: Picture, width: int, height: int) -> Picture:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def numbered(width: int = WIDTH, height: int = HEIGHT, levels: Sequence[int] = LEVELS) -> Iterator[Picture]:
    """The portrait once for each level, with the patch painted over its corner."""
    side = max(2, PATCH * min(width, height) // HEIGHT)
    for level in levels:
        picture = portrait(width, height).copy()
        picture[-side:, -side:] = level
        yield picture


def level_of(picture: Picture) -> float:
    """The level of the patch in a decoded picture, from its middle."""
    side = max(2, PATCH * min(picture.shape[:2]) // HEIGHT)
    inner = picture[-side:, -side:][side // 4 : -side // 4, side // 4 : -side // 4]
    return float(inner.mean())


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg quietly; trouble fails the test."""
    subprocess.run([ffmpeg_executable(), "-v", "error", "-nostdin", "-y", *map(str, arguments)], check=True)


def encode(path: Path, pictures: Iterator[Picture], *options: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """Encode pictures; unlike the project's own writer with any option of ffmpeg, so that files can be odd."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", "25", "-i", "pipe:0"]
    command = [ffmpeg_executable(), "-v", "error", "-y", *source, *options, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for picture in pictures:
            process.stdin.write(picture.data)
        process.stdin.close()
        assert process.wait() == 0, command
    return path


X264 = ("-c:v", "libx264", "-crf", "12", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-threads", "1")
MPEG4 = ("-c:v", "mpeg4", "-q:v", "2", "-threads", "1")
TONE = ("-f", "lavfi", "-i", "sine=duration=0.4")


def long_video(path: Path, frames: int) -> Path:
    """Many frames of 64 x 48 pixels with a face; the level of the patch rises and falls with the frame's number."""
    levels = [20 + 10 * (index % 20) for index in range(frames)]
    return encode(path, numbered(64, 48, levels), *X264, "-g", "250", size=(64, 48))


def cut(whole: Path, path: Path, share: float) -> None:
    """Write the first `share` of a file's bytes."""
    content = whole.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def overwrite(path: Path, at: int, content: bytes) -> None:
    """Change some bytes of a file in place."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def make_damaged(path: Path, packets: int) -> None:
    """An MP4 of which some packets in the middle are noise; its index is whole."""
    encode(path, numbered(levels=[level for level in LEVELS for _ in range(3)]), *X264, "-bf", "0")
    content = path.read_bytes()
    for number in range(12, 12 + packets):
        at, length = _mp4_sample(content, number)
        overwrite(path, at, b"\xff" * length)


def _mp4_sample(content: bytes, number: int) -> tuple[int, int]:
    """Where a sample of a one-chunk MP4 begins, and its length."""
    sizes, offsets = content.index(b"stsz"), content.index(b"stco")
    lengths = [struct.unpack_from(">I", content, sizes + 16 + 4 * i)[0] for i in range(number + 1)]
    return struct.unpack_from(">I", content, offsets + 12)[0] + sum(lengths[:-1]), lengths[-1]


def make_broken(folder: Path) -> list[Odd]:
    """Files that are no whole videos: every one must be refused, in words that name the defect."""
    whole = encode(folder / "whole.avi", numbered(), *MPEG4)
    fast = encode(folder / "fast.mp4", numbered(), *X264, "-movflags", "+faststart")
    slow = encode(folder / "slow.mp4", numbered(), *X264)
    mkv = encode(folder / "whole.mkv", numbered(), *X264)
    wmv = encode(folder / "whole.wmv", numbered(), "-c:v", "wmv2", "-q:v", "2")
    cut(whole, folder / "truncated.avi", 0.6)
    cut(fast, folder / "cut in the middle.mp4", 0.6)
    cut(slow, folder / "no index.mp4", 0.6)
    cut(mkv, folder / "cut.mkv", 0.6)
    cut(wmv, folder / "cut.wmv", 0.6)
    content = slow.read_bytes()
    (folder / "unfinished.mp4").write_bytes(content[: content.index(b"moov") - 4])
    content = mkv.read_bytes()
    (folder / "damaged.mkv").write_bytes(content)
    overwrite(folder / "damaged.mkv", len(content) - 1000, np.random.default_rng(0).bytes(600))
    for path in (whole, fast, slow, mkv, wmv):
        path.unlink()
    make_damaged(folder / "mostly damaged.mp4", packets=12)
    (folder / "zero bytes.avi").touch()
    (folder / "notes.avi").write_text("Dear colleague, the videos are on the other disk.\n" * 20)
    ffmpeg(*TONE, folder / "audio only.mp4")
    Path(folder / "photograph.mp4").write_bytes(cv2.imencode(".png", portrait()[..., ::-1])[1].tobytes())
    Path(folder / "snapshot.mov").write_bytes(cv2.imencode(".jpg", portrait()[..., ::-1])[1].tobytes())
    mpeg2 = ("-c:v", "mpeg2video", "-q:v", "2", "-f", "mpeg")
    parts = [encode(folder / "a.mpg", numbered(), *mpeg2)]
    parts.append(encode(folder / "b.mpg", numbered(96, 128), *mpeg2, size=(96, 128)))
    (folder / "changes size.mpg").write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()
    (folder / "link.avi").symlink_to(folder / "nowhere.avi")
    os.mkfifo(folder / "pipe.avi")
    return [
        Odd("link.avi", "unreadable", 0, ("cannot be opened", "No such file")),
        Odd("pipe.avi", "unreadable", 0, ("cannot be opened", "pipe")),
        Odd("truncated.avi", "unreadable", 0, ("cut short", "bytes")),
        Odd("cut in the middle.mp4", "unreadable", 0, ("cut short", "bytes")),
        Odd("no index.mp4", "unreadable", 0, ("cut short", "bytes")),
        Odd("unfinished.mp4", "unreadable", 0, ("no index", "never finished")),
        Odd("cut.mkv", "unreadable", 0, ("cut short", "frames were decoded")),
        Odd("cut.wmv", "unreadable", 0, ("cut short", "bytes")),
        Odd("damaged.mkv", "unreadable", 0, ("damaged", "could not be read")),
        Odd("mostly damaged.mp4", "unreadable", 0, ("damaged", "15 of 30 frames")),
        Odd("zero bytes.avi", "unreadable", 0, ("empty",)),
        Odd("notes.avi", "unreadable", 0, ("text file",)),
        Odd("audio only.mp4", "unreadable", 0, ("no video stream", "sound")),
        Odd("photograph.mp4", "unreadable", 0, ("picture (PNG)",)),
        Odd("snapshot.mov", "unreadable", 0, ("picture (JPEG)",)),
        Odd("changes size.mpg", "unreadable", 0, ("size changes", "192 x 144, then 96 x 128")),
    ]


def make_unusual(folder: Path) -> list[Odd]:
    """Whole videos out of the ordinary: every frame must come back, once."""
    plain = encode(folder / "plain.mp4", numbered(), *X264)
    lying = folder / "lying.mp4"  # as phones record: coded on its side, and a note to turn it
    ffmpeg("-i", plain, "-vf", "transpose=clock", *X264, lying)
    ffmpeg("-display_rotation", "90", "-i", lying, "-c", "copy", folder / "rotated.mp4")
    lying.unlink()
    ffmpeg("-i", plain, *X264, "-vf", "scale=144:144,setsar=4/3", folder / "anamorphic.mp4")
    ffmpeg(
        *("-i", plain, "-vf", "setpts='if(mod(N,3),N*N,N*N-0.9)/25/TB'"),
        *(f"-{passthrough_option(ffmpeg_executable())}", "passthrough", "-enc_time_base", "1:9000", *X264),
        folder / "variable rate.mkv",
    )
    encode(folder / "4k.mp4", numbered(3840, 2160, LEVELS[:3]), *X264, "-preset", "ultrafast", size=(3840, 2160))
    encode(folder / "single frame.avi", numbered(levels=LEVELS[:1]), *MPEG4)
    encode(folder / "odd sides.avi", numbered(321, 241), "-c:v", "mjpeg", "-q:v", "2", size=(321, 241))
    encode(folder / "tiny.avi", numbered(16, 16), *MPEG4, size=(16, 16))
    encode(folder / "grey.mp4", numbered(), *X264, "-pix_fmt", "gray")
    encode(folder / "ten bits.mkv", numbered(), *X264, "-pix_fmt", "yuv420p10le")
    cover = folder.parent / "cover.png"
    cv2.imwrite(str(cover), np.zeros((300, 300, 3), np.uint8))
    ffmpeg(
        *("-i", plain, "-i", cover, "-map", "1", "-map", "0", "-c:v:0", "png", "-c:v:1", "copy"),
        *("-disposition:v:0", "attached_pic", folder / "cover picture.mp4"),
    )
    album = folder / "album.mp4"
    ffmpeg("-i", cover, *TONE, "-map", "0", "-map", "1", "-c:v", "png", "-disposition:v:0", "attached_pic", album)
    cover.unlink()
    ffmpeg(
        *("-i", plain, "-f", "lavfi", "-i", "color=blue:s=320x240:r=25:d=0.2", *TONE, "-map", "0:v", "-map", "1:v"),
        *("-map", "2:a", *X264, folder / "two videos.mkv"),
    )
    boastful = encode(folder / "boastful header.avi", numbered(), *MPEG4)
    overwrite(boastful, boastful.read_bytes().index(b"strh") + 8 + 32, struct.pack("<I", FRAMES + 5))
    make_damaged(folder / "slightly damaged.mp4", packets=2)
    return [
        Odd("plain.mp4", "ok", FRAMES),
        Odd("rotated.mp4", "ok", FRAMES),
        Odd("anamorphic.mp4", "ok", FRAMES),
        Odd("variable rate.mkv", "ok", FRAMES),
        Odd("4k.mp4", "ok", 3),
        Odd("single frame.avi", "ok", 1),
        Odd("odd sides.avi", "ok", FRAMES),
        Odd("tiny.avi", "no_face", FRAMES, ("no face", f"{FRAMES} frames")),
        Odd("grey.mp4", "ok", FRAMES),
        Odd("ten bits.mkv", "ok", FRAMES),
        Odd("cover picture.mp4", "ok", FRAMES),
        Odd("album.mp4", "unreadable", 0, ("no video stream", "cover")),
        Odd("two videos.mkv", "ok", FRAMES),
        Odd("boastful header.avi", "ok", FRAMES, note=f"states {FRAMES + 5} frames, {FRAMES} decode"),
        Odd("slightly damaged.mp4", "ok", 28, note="2 of 30 frames"),
    ]


def make_oddly_named(folder: Path) -> list[Odd]:
    """Ordinary videos with names that trip scripts."""
    plain = encode(folder / "clip.mp4", numbered(), *X264).read_bytes()
    names = ["with spaces.mp4", "two.dots.name.mp4", "Müller & Söhne.mp4", "one/clip.mp4", "two/clip.mp4", "Clip.mp4"]
    names += ["-i 50%03d:a'b.mp4", "clip.MOV", "Ελένη.mp4"]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(plain)
    (folder / "empty folder").mkdir()
    return [Odd(name, "ok", FRAMES) for name in ["clip.mp4", *names]]


def make_all(folder: Path) -> list[Odd]:
    """All of the above, each kind in a folder of its own."""
    odds = []
    for name, make in (("broken", make_broken), ("named", make_oddly_named), ("unusual", make_unusual)):
        (folder / name).mkdir(parents=True)
        odds += [replace(odd, name=f"{name}/{odd.name}") for odd in make(folder / name)]
    return odds
