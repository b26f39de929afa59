"""Writing a video whose frames keep the times of another one, with its sound: H.264 in MP4, as browsers play it.

The pictures have priority: where no ffmpeg encodes H.264 another codec is used, and sound that cannot be copied is left
out, both with a note.

Raw frames reach ffmpeg as a Matroska stream, because a pipe of bare pictures could only run at a constant rate. Frames
of a constant rate without sound belong to `constant_rate_writer`; what is drawn on them, to the caller.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.core.errors import EncodingError, UnreadableVideoError
from nrdfer.video.ffmpeg import ffmpeg_for, last_lines, passthrough_option
from nrdfer.video.ffmpeg_writer import FfmpegPipe
from nrdfer.video.formats import video_format
from nrdfer.video.inputs import global_options, input_options, start
from nrdfer.video.probe import probe
from nrdfer.video.timestamps import FrameTimes

CRF = 20  # libx264's quality; lower is better
#: Codecs for MP4, the one that every browser plays first.
_CODECS = (
    ("libx264", ("-preset", "superfast", "-crf", str(CRF))),  # half of the work of "veryfast", in a larger file
    ("libopenh264", ("-b:v", "2M")),
    ("libvpx-vp9", ("-crf", "30", "-b:v", "0", "-deadline", "realtime", "-cpu-used", "8")),
    ("mpeg4", ("-q:v", "3")),
)
_PLAYED = frozenset({"libx264", "libopenh264", "libvpx-vp9"})  # by browsers
PATIENCE = 120.0  # seconds for the sound, beside the video's own length
_TICK = 1000  # nanoseconds of a Matroska time stamp here


class TimedWriter(FfmpegPipe):
    """Context manager that encodes RGB frames with given times.

    The file appears at `path` only when the block ends without an exception and every frame was written.

    Args:
        path: target, ``.mp4``.
        width: of a frame, pixels; even, because the colour planes are halved.
        height: likewise.
        times: of the frames to come.
        sound: a video whose first sound track is taken over, as AAC; without one there is no sound.

    Attributes:
        notes: what is not as it should be, once the block has ended: another codec, no sound.

    Raises:
        ValueError: a size that cannot be encoded.
        EncodingError: ffmpeg failed (its last words are quoted), or not every frame was written.
    """

    def __init__(self, path: Path, width: int, height: int, times: FrameTimes, sound: Path | None = None) -> None:
        if width <= 0 or height <= 0 or width % 2 or height % 2:
            raise ValueError(f"{path}: H.264 needs positive even sides, not {width} x {height}")
        super().__init__(path)
        self.shape = (height, width, 3)
        self.times = times
        self.notes: list[str] = []
        self._sound = sound
        self._command = self._compile()

    def _compile(self) -> list[str]:
        executable, codec, options = self._codec()
        # ffmpeg lets every input begin at 0; the first frame may begin later than the sound
        return [
            *(executable, "-hide_banner", "-v", "error", "-y", "-itsoffset", self._begins),
            *("-f", "matroska", "-i", "pipe:0", "-c:v", codec, *options, *self._order, "-pix_fmt", "yuv420p"),
            *(f"-{passthrough_option(executable)}", "passthrough", "-enc_time_base", "1:90000"),
            *self._container,
            f"file:{self._partial}",
        ]

    @property
    def _order(self) -> tuple[str, ...]:
        """Options on frames coded out of order: ffmpeg takes the length of the track from the order of coding.

        Where frames stay differently long it would be wrong, and players end before the last ones.
        """
        return () if self.times.even else ("-bf", "0")

    @property
    def _begins(self) -> str:
        return f"{self.times.starts[0]:.6f}"

    @property
    def _container(self) -> tuple[str, ...]:
        return ("-video_track_timescale", "90000", "-map_metadata", "-1", "-movflags", "+faststart")

    def _codec(self) -> tuple[str, str, tuple[str, ...]]:
        """The ffmpeg, its codec and the codec's options."""
        for codec, options in _CODECS:
            executable = ffmpeg_for("encoders", [codec])
            if executable is None:
                continue
            if codec != "libx264":
                plays = "" if codec in _PLAYED else ", which browsers do not play"
                self.notes.append(f"the annotated video is coded with {codec}{plays}: no ffmpeg here has libx264")
            return executable, codec, options
        raise EncodingError(
            f"{self.path}: no ffmpeg on this machine encodes with {', '.join(codec for codec, _ in _CODECS)}; install "
            "a fuller one"
        )

    def _finished(self) -> Path:
        """Add the sound, or a note with the reason why there is none."""
        if self._sound is not None:
            self._add_sound(self._sound)
        return self._partial

    def _add_sound(self, sound: Path) -> None:
        try:
            if not probe(sound).sound:
                return
            demuxer = video_format(sound)
        except UnreadableVideoError as error:
            self.notes.append(f"the annotated video has no sound ({error})")
            return
        executable = ffmpeg_for("encoders", ["aac"])
        if executable is None:
            self.notes.append("the annotated video has no sound: no ffmpeg on this machine encodes AAC")
            return
        whole = self._partial.with_name(f"{self._partial.stem}-sound{self._partial.suffix}")
        words = ""
        try:
            for channels in ((), ("-ac", "2")):  # AAC knows few layouts of many channels; two are always understood
                command = [
                    *(executable, "-v", "error", "-y", *global_options()),
                    *("-itsoffset", self._begins, "-i", f"file:{self._partial}"),
                    *input_options(sound, demuxer),
                    *("-map", "0:v:0", "-map", "1:a:0", "-c:v", "copy", "-c:a", "aac", *channels, *self._container),
                    f"file:{whole}",
                ]
                words = self._try(command)
                if not words:
                    whole.replace(self._partial)
                    return
        finally:
            whole.unlink(missing_ok=True)
        self.notes.append(f"the annotated video has no sound: that of the source cannot be copied ({words})")

    def _try(self, command: list[str]) -> str:
        """Run a command; returns what went wrong, "" if nothing did."""
        process = start(command, stdout=subprocess.DEVNULL)
        try:
            _, said = process.communicate(timeout=PATIENCE + self.times.duration)
        except subprocess.TimeoutExpired:
            return "ffmpeg did not end"
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        return "" if process.returncode == 0 else last_lines(said, 2) or f"exit status {process.returncode}"

    def write(self, rgb: NDArray[np.uint8]) -> None:
        """Append one frame, (height, width, 3) uint8 RGB.

        Raises:
            ValueError: another shape or type, or one frame more than there are times.
            NrdferError: ffmpeg has stopped, or the writer is not open.
        """
        if rgb.shape != self.shape or rgb.dtype != np.uint8:
            raise ValueError(f"{self.path}: frame is {rgb.dtype} {rgb.shape}, the video is uint8 {self.shape}")
        if self.frames == len(self.times.starts):
            raise ValueError(f"{self.path}: there are times for {self.frames} frames only")
        if self.frames == 0:
            height, width, _ = self.shape
            self._send(_head(width, height, self._length(0)))
        at = round((self.times.starts[self.frames] - self.times.starts[0]) * 1e9 / _TICK)
        # half as many bytes for the pipe, and faster than ffmpeg's own conversion
        planes = cast(NDArray[np.uint8], cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420))
        for part in _cluster(at, round(self._length(self.frames) * 1e9 / _TICK), planes):
            self._send(part)
        self.frames += 1

    def _length(self, index: int) -> float:
        """Duration of a frame in seconds."""
        starts = self.times.starts
        return (starts[index + 1] if index + 1 < len(starts) else self.times.end) - starts[index]

    def _missing(self) -> str:
        wanted = len(self.times.starts)
        return "" if self.frames == wanted else f"{self.frames} of {wanted} frames were written"


# Matroska, as far as a stream of raw pictures needs it (RFC 9559): an element is an id, a length, and its content.


def _element(number: int, content: bytes) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big") + _size(len(content)) + content


def _size(length: int) -> bytes:
    return (length | 1 << 56).to_bytes(8, "big")


def _uint(number: int, value: int) -> bytes:
    return _element(number, value.to_bytes(8, "big"))


def _head(width: int, height: int, length: float) -> bytes:
    """The bytes before the first frame; `length` is the usual duration of a frame in seconds."""
    ebml = _uint(0x4286, 1) + _uint(0x42F7, 1) + _uint(0x42F2, 4) + _uint(0x42F3, 8)
    ebml += _element(0x4282, b"matroska") + _uint(0x4287, 4) + _uint(0x4285, 2)
    info = _uint(0x2AD7B1, _TICK) + _element(0x4D80, b"nrdfer") + _element(0x5741, b"nrdfer")
    colour = _element(0x2EB524, b"I420")  # a plane of luma and two of colour, halved
    video = _element(0xE0, _uint(0xB0, width) + _uint(0xBA, height) + colour)
    track = _uint(0xD7, 1) + _uint(0x73C5, 1) + _uint(0x83, 1) + _uint(0x9C, 0)
    track += _element(0x86, b"V_UNCOMPRESSED") + _uint(0x23E383, max(1, round(length * 1e9))) + video
    segment = (0x18538067).to_bytes(4, "big") + b"\x01" + b"\xff" * 7  # of unknown length: it is a stream
    return (
        _element(0x1A45DFA3, ebml) + segment + _element(0x1549A966, info) + _element(0x1654AE6B, _element(0xAE, track))
    )


def _cluster(at: int, ticks: int, planes: NDArray[np.uint8]) -> Iterator[bytes | memoryview]:
    """One frame as its own cluster, so that it may have any time; the pixels are not copied."""
    pixels = np.ascontiguousarray(planes).data.cast("B")
    block = b"\x81" + struct.pack(">hB", 0, 0)  # track 1, at the cluster's own time
    stays = _uint(0x9B, ticks)
    body_length = len(block) + len(pixels)
    group_length = 1 + 8 + body_length + len(stays)
    time = _uint(0xE7, at)
    yield (0x1F43B675).to_bytes(4, "big") + _size(len(time) + 1 + 8 + group_length) + time
    yield b"\xa0" + _size(group_length) + b"\xa1" + _size(body_length) + block
    yield pixels
    yield stays
