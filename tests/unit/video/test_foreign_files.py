"""No file that is given as a video makes ffmpeg open another one, whatever is in it or how it is called.

The other file is a picture of one odd colour in a folder that is watched: its name is never opened.
"""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.video.decode import decode_command, iter_frames
from nrdfer.video.ffmpeg import ffmpeg_executable
from nrdfer.video.probe import probe
from nrdfer.video.timestamps import frame_times
from tests.unit.odd_videos import FRAMES, MPEG4, X264, encode, numbered

CANARY = (11, 222, 111)
IN_OPEN = 0x20


class Watch:
    """Tells whether a file was opened by anybody (Linux's inotify)."""

    def __init__(self, path: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = self._libc.inotify_init1(os.O_NONBLOCK)
        assert self._handle >= 0
        assert self._libc.inotify_add_watch(self._handle, os.fsencode(path), IN_OPEN) >= 0

    def opened(self) -> bool:
        try:
            return bool(os.read(self._handle, 65536))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._handle)


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that nobody named."""
    flat = np.full((48, 64, 3), CANARY, np.uint8)
    return encode(tmp_path_factory.mktemp("secret") / "secret.avi", iter([flat] * 5), *MPEG4, size=(64, 48))


def ffconcat(secret: Path, _: Path) -> bytes:
    return f"ffconcat version 1.0\nfile '{secret}'\n# ".encode() + bytes(64)


def ffconcat_of_neighbours(secret: Path, folder: Path) -> bytes:
    """With names that ffmpeg calls safe."""
    (folder / "other.avi").symlink_to(secret)
    return b"ffconcat version 1.0\nfile other.avi\n# \0"


def disguised_ffconcat(secret: Path, _: Path) -> bytes:
    """The list after the beginning of an AVI: whoever guesses by what is inside would follow it."""
    return b"RIFF\x10\0\0\0AVI \nffconcat version 1.0\n" + f"file '{secret}'\n".encode() + bytes(64)


def hls(secret: Path, _: Path) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n#".encode() + bytes(64)


def hls_behind_sound(secret: Path, _: Path) -> bytes:
    return b"ID3\x03\0\0\0\0\0\0" + hls(secret, _)


def dash(secret: Path, _: Path) -> bytes:
    segment = f'<SegmentList><SegmentURL media="file://{secret}"/></SegmentList>'
    body = f'<Period><AdaptationSet contentType="video"><Representation>{segment}</Representation></AdaptationSet>'
    text = f'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">{body}</Period></MPD>\n'
    return text.encode() + bytes(64)


def session(secret: Path, _: Path) -> bytes:
    return b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\na=control:file://%b\r\n\0\0" % bytes(secret)


def subtitles(secret: Path, folder: Path) -> bytes:
    (folder / "video.sub").symlink_to(secret)
    return b"# VobSub index file, v7\n\0\ntimestamp: 00:00:00:000, filepos: 000000000\n"


def moved_track(secret: Path, folder: Path) -> bytes:
    """A MOV whose pictures lie in another file, by its data reference (an alias with an absolute path)."""
    whole = encode(folder / "whole.mov", numbered(), *X264).read_bytes()
    place = os.fsencode(secret)
    pad = place + bytes(len(place) % 2)
    alias = bytes(150) + struct.pack(">hh", 2, len(place)) + pad + struct.pack(">hh", 18, 1) + b"/\0"
    alias += struct.pack(">hh", -1, 0)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    table = struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry
    at = whole.index(b"dref") - 4
    old = int.from_bytes(whole[at : at + 4], "big")
    changed = whole[:at] + table + whole[at + old :]
    for name in (b"dinf", b"minf", b"mdia", b"trak", b"moov"):  # each holds the one before
        start = whole.index(name) - 4
        size = int.from_bytes(whole[start : start + 4], "big") + len(table) - old
        changed = changed[:start] + size.to_bytes(4, "big") + changed[start + 4 :]
    return changed


LISTS = [ffconcat, ffconcat_of_neighbours, disguised_ffconcat, hls, hls_behind_sound, dash, session, subtitles]


@pytest.mark.parametrize("make", LISTS)
def test_a_list_of_other_files_named_as_a_video_is_refused(
    make: Callable[[Path, Path], bytes], secret: Path, tmp_path: Path
) -> None:
    disguise = tmp_path / "video.mp4"
    disguise.write_bytes(make(secret, tmp_path))
    watch = Watch(secret)
    try:
        for read in (lambda: list(iter_frames(disguise)), lambda: probe(disguise), lambda: frame_times(disguise, 1)):
            with pytest.raises(UnreadableVideoError, match=r"video\.mp4: \w+"):
                read()
        assert not watch.opened()
    finally:
        watch.close()


def test_a_movie_that_keeps_its_pictures_elsewhere_is_refused(secret: Path, tmp_path: Path) -> None:
    disguise = tmp_path / "video.mp4"
    disguise.write_bytes(moved_track(secret, tmp_path))
    watch = Watch(secret)
    try:
        try:
            frames = list(iter_frames(disguise, notes=[]))
        except UnreadableVideoError:
            frames = []
        assert all(abs(frame.mean((0, 1)) - CANARY).max() > 20 for frame in frames)
        assert not watch.opened()
        # the reference is one that is followed where that is allowed
        asked = ["-enable_drefs", "1", "-use_absolute_path", "1", "-i", str(disguise), "-f", "null", "-"]
        subprocess.run([ffmpeg_executable(), "-v", "quiet", "-nostdin", *asked], check=False)
        assert watch.opened()
    finally:
        watch.close()


@pytest.mark.parametrize(
    "name",
    ["concat:secret.avi|secret.avi", "subfile,,start,0,end,0,,:secret.avi", "data:video;base64,AA", "%03d.avi"],
)
def test_a_name_that_is_an_address_is_a_name(
    name: str, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.avi").symlink_to(secret)
    (tmp_path / "001.avi").symlink_to(secret)
    monkeypatch.chdir(tmp_path)
    watch = Watch(secret)
    try:
        with pytest.raises(UnreadableVideoError, match="No such file"):
            list(iter_frames(Path(name)))
        encode(tmp_path / "plain.avi", numbered(), *MPEG4).rename(tmp_path / name.replace("/", "_"))
        assert len(list(iter_frames(Path(name)))) == FRAMES
        assert not watch.opened()
    finally:
        watch.close()


def test_ffmpeg_is_told_the_format_and_the_protocols(tmp_path: Path) -> None:
    path = encode(tmp_path / "-i.mov", numbered(), *X264)
    command = decode_command(path, ffmpeg_executable())
    before = command[: command.index("-i")]
    assert before[before.index("-protocol_whitelist") + 1] == "file,pipe"
    assert before[before.index("-format_whitelist") + 1] == before[before.index("-f") + 1] == "mov"
    assert before[before.index("-enable_drefs") + 1] == "0"
    assert command[command.index("-i") + 1] == f"file:{path}"


@pytest.mark.parametrize("raw", [b"Stra\xdfe.avi", "视频".encode("gbk") + b".avi"])
def test_names_that_are_not_utf_8_are_read(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(raw)
    try:
        encode(tmp_path / "plain.avi", numbered(), *MPEG4).rename(path)
    except OSError:
        pytest.skip("this file system wants names in UTF-8")
    assert len(list(iter_frames(path))) == FRAMES
    assert probe(path).codec == "mpeg4"
    assert frame_times(path, FRAMES).fps == pytest.approx(25)
