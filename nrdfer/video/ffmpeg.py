"""Which ffmpeg runs, what it can do, and how its complaints are read.

Probing, decoding and encoding each have their own module; no ffmpeg option of theirs belongs here.
"""

from __future__ import annotations

import shutil
import stat
import subprocess
from functools import lru_cache
from pathlib import Path

import imageio_ffmpeg

from nrdfer.errors import NrdferError, UnreadableVideoError

_STREAMS_OF_PICTURES = (".mjpeg", ".mjpg")  # pictures in a row, without a container: they begin like one


def ffmpeg_executable() -> str:
    """Path of the ffmpeg to run: the system's if one is on PATH, else the static one of imageio-ffmpeg.

    Raises:
        NrdferError: there is neither.
    """
    system = shutil.which("ffmpeg")
    if system is not None:
        return system
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise NrdferError(
            "no ffmpeg was found: none is on PATH and imageio-ffmpeg has none for this machine; install "
            "ffmpeg (for example `apt install ffmpeg`)"
        ) from error


@lru_cache(maxsize=8)
def passthrough_option(executable: str) -> str:
    """Name of the option that stops ffmpeg from repeating or dropping frames: "fps_mode" or "vsync".

    The binary is asked, because version numbers of distributions and of git builds cannot be compared:
    `-fps_mode` came with 5.1 and `-vsync` left with 9.0.

    Raises:
        NrdferError: the executable cannot be run.
    """
    try:
        answer = subprocess.run(  # noqa: S603 - the executable is the one found above
            [executable, "-hide_banner", "-h", "long"], capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NrdferError(f"ffmpeg at {executable} cannot be run ({error}); reinstall it or fix PATH") from error
    options = (answer.stdout + answer.stderr).decode(errors="replace")
    return "fps_mode" if "-fps_mode" in options else "vsync"


def last_lines(stderr: bytes, count: int = 3) -> str:
    """The last lines of ffmpeg's complaints as one line of text, for error messages."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return "; ".join(lines[-count:])


def refuse_what_is_no_video(path: Path) -> None:
    """Refuse at a glance what ffmpeg would misread: folders, pipes, empty files, pictures, and text.

    ffmpeg draws some text files as pictures and follows playlists; no video format lacks zero bytes at its
    start (except the raw YUV4MPEG2). It also plays a photograph as a video of one frame.

    Raises:
        UnreadableVideoError: the path is not a file that can be read and looks like a video.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            raise UnreadableVideoError(f"{path}: cannot be opened as a video: a folder, a pipe or a device")
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise UnreadableVideoError(f"{path}: cannot be opened ({error.strerror})") from error
    if not head:
        raise UnreadableVideoError(f"{path}: the file is empty; copy it again")
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        raise UnreadableVideoError(f"{path}: a Git LFS pointer, not the video; run `git lfs pull` where it was cloned")
    picture = "" if path.suffix.lower() in _STREAMS_OF_PICTURES else _picture_kind(head)
    if picture:
        raise UnreadableVideoError(f"{path}: this is a picture ({picture}), not a video")
    if b"\0" not in head and not head.startswith(b"YUV4MPEG2"):
        raise UnreadableVideoError(f"{path}: this is a text file, not a video")


def _picture_kind(head: bytes) -> str:
    """What kind of picture a file is, by its first bytes; "" if it may be a video."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and b"acTL" not in head:  # an animated PNG has that chunk
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:4] in (b"II*\0", b"MM\0*"):
        return "TIFF"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"avif"):
        return "HEIF"
    return "BMP" if head[:2] == b"BM" and head[6:10] == bytes(4) else ""
