"""Container formats by their first bytes, and the formats that are refused before ffmpeg opens them.

ffmpeg guesses among some three hundred formats. Some of them are lists of other files (playlists, ffconcat, session
descriptions, subtitles with pictures beside them), and a guess may follow them to any file of this machine. So the
format is decided here, among those that hold their own pictures, and ffmpeg is restricted to that one. Running ffmpeg
does not belong here; what a container states about itself is in `container_headers`.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

from nrdfer.core.atomic_files import open_plain
from nrdfer.core.errors import UnreadableVideoError
from nrdfer.video.refused import refused

HEAD = 1 << 16  # bytes that are read
_STREAMS_OF_PICTURES = (".mjpeg", ".mjpg")  # pictures in a row, without a container: they begin like one
_MP4_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof", b"sidx"})
#: Brands of pictures. Moving AVIF (avis) is one of them: ffmpeg takes its first picture for all of it.
_STILL_BRANDS = frozenset({b"heic", b"heix", b"mif1", b"avif", b"avis"})

#: First bytes -> the name of ffmpeg's demuxer. No format of this list names other files, but MOV, whose references to
#: them are switched off (`nrdfer.video.inputs`).
_BEGINNINGS = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "asf"),
    (b"FLV\x01", "flv"),
    (b"OggS", "ogg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"YUV4MPEG2 ", "yuv4mpegpipe"),
    (b"DKIF", "ivf"),
    (b".RMF", "rm"),
    (b"nut/multimedia container\0", "nut"),
    (bytes.fromhex("b7d800203749da11a64e0007e95ead8d"), "wtv"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"\x00\x00\x01\xb3", "mpegvideo"),
    (b"\x00\x00\x01\xb0", "m4v"),
    (b"\x00\x00\x01\x0f", "vc1"),
    (b"BBCD\x00", "dirac"),
    (b"\x1f\x07\x00\x3f", "dv"),
    (b"\x1f\x07\x00\xbf", "dv"),
)
_MXF_KEY = bytes.fromhex("060e2b34020501010d010201")  # may follow 64 KiB of anything
_SOUND = (b"ID3", b"fLaC", b"#!AMR", b"caff", b"MThd", b"wvpk", b"MAC ")
#: What lists of other files begin with, after white space.
_LISTS = {
    b"ffconcat": "an ffconcat list",
    b"#EXTM3U": "a playlist (M3U)",
    b"[playlist]": "a playlist (PLS)",
    b"<?xml": "an XML file, such as a DASH manifest",
    b"<MPD": "a DASH manifest",
    b"<asx": "a playlist (ASX)",
    b"<smil": "a playlist (SMIL)",
    b"RTSPtext": "an address of a stream",
    b"v=0": "a session description (SDP)",
    b"# VobSub": "subtitles (VobSub)",
    b"WEBVTT": "subtitles (WebVTT)",
    b"[Script Info]": "subtitles (ASS)",
    b"FILE ": "a cue sheet",
    b";FFMETADATA": "metadata",
}


def video_format(path: Path) -> str:
    """Ffmpeg's demuxer for a file; a file of no known video format is refused at once.

    Raises:
        UnreadableVideoError: the path is no file that can be read, or its first bytes are of no known video format.
    """
    head = read_head(path)
    found = format_of(head, path.suffix)
    if found:
        return found
    if not head:
        raise UnreadableVideoError(f"{path}: the file is empty; copy it again")
    raise UnreadableVideoError(f"{path}: {_why_not(head)}")


def read_head(path: Path) -> bytes:
    """The first bytes of a regular file.

    Raises:
        UnreadableVideoError: it is none, or cannot be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableVideoError(f"{path}: cannot be opened as a video: a folder, a pipe or a device")
        with open_plain(path) as file:
            return file.read(HEAD)
    except OSError as error:
        raise refused(path, error, "cannot be opened ({})") from error
    except ValueError as error:  # a zero byte in the name
        raise UnreadableVideoError(f"{path}: cannot be opened ({error})") from error


def format_of(head: bytes, suffix: str = "") -> str:
    """The demuxer for a file that begins with `head`; "" if it is of no known video format.

    Args:
        head: up to `HEAD` bytes.
        suffix: of the file's name; distinguishes a series of pictures (MJPEG) from a photograph.
    """
    if head[:3] == b"\xff\xd8\xff":
        return "mjpeg" if suffix.lower() in _STREAMS_OF_PICTURES else ""
    if head[:4] == b"RIFF":
        if head[8:11] == b"AVI" or head[8:12] == b"AMV ":
            return "avi"
        return "webp_anim" if head[8:12] == b"WEBP" and b"ANIM" in head[12:64] else ""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "apng" if b"acTL" in head[:4096] else ""
    if head[4:8] in _MP4_FIRST:
        return "" if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS else "mov"
    if head[4:8] == b"jP  ":
        return "mov" if b"mjp2" in head[:64] else ""
    for beginning, name in _BEGINNINGS:
        if head.startswith(beginning):
            return name
    return _raw_stream(head) or _transport_stream(head) or _late_beginning(head)


def _raw_stream(head: bytes) -> str:
    """H.264 or HEVC without a container: a start code, and a unit with which streams begin."""
    at = next((n for n in (4, 3) if head[: n - 1] == bytes(n - 1) and head[n - 1 : n] == b"\x01"), 0)
    if not at or len(head) < at + 2:
        return ""
    first, second = head[at], head[at + 1]
    if first in (0x40, 0x42, 0x46, 0x4E) and second == 1:
        return "hevc"
    if first & 0x9F in (6, 7, 9) and (first & 0x60 or first & 0x1F != 7):
        return "h264"
    return "m4v" if 0x20 <= first <= 0x2F else ""


def _transport_stream(head: bytes) -> str:
    """MPEG-TS, even if cut within a packet: a sync byte every 188 bytes (192 with time codes, 204)."""
    for packet in (188, 192, 204):
        for start in range(min(packet, max(0, len(head) - 4 * packet))):
            if head[start] == 0x47 and all(byte == 0x47 for byte in head[start : start + 12 * packet : packet]):
                return "mpegts"
    # a recording of a few packets
    return "mpegts" if len(head) >= 188 and head[0] == 0x47 and set(head[::188]) == {0x47} else ""


def _late_beginning(head: bytes) -> str:
    """Formats with an offset start: MXF after its run-in, a program stream that was cut at the front."""
    if _MXF_KEY in head:
        return "mxf"
    packs = [found.start() for found in re.finditer(rb"\x00\x00\x01\xba[\x20-\x7f]", head)]
    return "mpeg" if len(packs) >= 2 and b"\0" in head[: packs[0] + 4] and not _list_kind(head) else ""


def _list_kind(head: bytes) -> str:
    begins = head[:256].lstrip(b"\xef\xbb\xbf\0 \t\r\n")
    return next((kind for mark, kind in _LISTS.items() if begins.startswith(mark)), "")


def _why_not(head: bytes) -> str:
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a Git LFS pointer, not the video; run `git lfs pull` where it was cloned"
    kind = picture_kind(head)
    if kind:
        moving = "; if it moves, convert it to MP4" if kind == "AVIF" else ""
        return f"this is a picture ({kind}), not a video{moving}"
    kind = _list_kind(head)
    if kind:
        return f"this is a text file, not a video: {kind}. Files that name other files are never followed"
    if head.startswith(_SOUND) or (head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE") or _is_mp3(head):
        return "there is no video stream in it, only sound"
    if b"\0" not in head[:4096]:
        return "this is a text file, not a video"
    return (
        f"its first bytes ({head[:8].hex(' ')}) are of no video format that is read here; if it is a video, it is "
        "damaged at its beginning (copy it again), or of a rare kind (convert it to MP4)"
    )


def _is_mp3(head: bytes) -> bool:
    return len(head) > 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0


def picture_kind(head: bytes) -> str:
    """Still picture format of a file, by its first bytes; "" if it is none."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "" if b"acTL" in head[:4096] else "PNG"  # an animated PNG has that chunk
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "" if b"ANIM" in head[12:64] else "WebP"
    if head[:4] in (b"II*\0", b"MM\0*"):
        return "TIFF"
    if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS:
        return "AVIF" if head[8:11] == b"avi" else "HEIF"
    return "BMP" if head[:2] == b"BM" and head[6:10] == bytes(4) else ""
