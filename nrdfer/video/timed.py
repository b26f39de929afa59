"""Writing a video whose frames keep the times of another one, with its sound: H.264 in MP4, as browsers play it.

Raw frames reach ffmpeg as a Matroska stream, because a pipe of bare pictures could only run at a constant rate. Frames
of a constant rate without sound are `encode`'s; what is drawn on them is the caller's business.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nrdfer.video.ffmpeg import ffmpeg_executable, passthrough_option
from nrdfer.video.pipe import FfmpegPipe
from nrdfer.video.times import FrameTimes

CRF = 20  # libx264's quality; lower is better
_TICK = 1000  # nanoseconds of a Matroska time stamp here


class TimedWriter(FfmpegPipe):
    """Context manager that encodes RGB frames with given times.

    The file appears at `path` only when the block ends without an exception and every frame was written.

    Args:
        path: target, ``.mp4``.
        width: of a frame, pixels; even, because the colour planes are halved.
        height: likewise.
        times: of the frames to come.
        sound: a file whose first sound track is taken over, as AAC; without one there is no sound.

    Raises:
        ValueError: a size that cannot be encoded.
        NrdferError: ffmpeg failed (its last words are quoted), or not every frame was written.
    """

    def __init__(self, path: Path, width: int, height: int, times: FrameTimes, sound: Path | None = None) -> None:
        if width <= 0 or height <= 0 or width % 2 or height % 2:
            raise ValueError(f"{path}: H.264 needs positive even sides, not {width} x {height}")
        super().__init__(path)
        self.shape = (height, width, 3)
        self.times = times
        self._command = self._compile(sound)

    def _compile(self, sound: Path | None) -> list[str]:
        executable = ffmpeg_executable()
        # ffmpeg lets every input begin at 0; the first frame may begin later than the sound
        source = ["-itsoffset", f"{self.times.starts[0]:.6f}", "-f", "matroska", "-i", "pipe:0"]
        if sound is not None:
            source += ["-protocol_whitelist", "file", "-i", f"file:{sound}", "-map", "0:v:0", "-map", "1:a:0?"]
        return [
            *(executable, "-hide_banner", "-v", "error", "-y", *source),
            *("-c:v", "libx264", "-preset", "veryfast", "-crf", str(CRF), "-pix_fmt", "yuv420p"),
            *(f"-{passthrough_option(executable)}", "passthrough", "-enc_time_base", "1:90000"),
            *("-video_track_timescale", "90000", "-c:a", "aac", "-map_metadata", "-1", "-movflags", "+faststart"),
            f"file:{self._partial}",
        ]

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
        for part in _cluster(at, round(self._length(self.frames) * 1e9 / _TICK), rgb):
            self._send(part)
        self.frames += 1

    def _length(self, index: int) -> float:
        """Seconds that a frame stays."""
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
    """Everything before the first frame; `length` is how long a frame usually stays, seconds."""
    ebml = _uint(0x4286, 1) + _uint(0x42F7, 1) + _uint(0x42F2, 4) + _uint(0x42F3, 8)
    ebml += _element(0x4282, b"matroska") + _uint(0x4287, 4) + _uint(0x4285, 2)
    info = _uint(0x2AD7B1, _TICK) + _element(0x4D80, b"nrdfer") + _element(0x5741, b"nrdfer")
    colour = _element(0x2EB524, b"RGB\x18")  # three bytes a pixel, red first
    video = _element(0xE0, _uint(0xB0, width) + _uint(0xBA, height) + colour)
    track = _uint(0xD7, 1) + _uint(0x73C5, 1) + _uint(0x83, 1) + _uint(0x9C, 0)
    track += _element(0x86, b"V_UNCOMPRESSED") + _uint(0x23E383, max(1, round(length * 1e9))) + video
    segment = (0x18538067).to_bytes(4, "big") + b"\x01" + b"\xff" * 7  # of unknown length: it is a stream
    return (
        _element(0x1A45DFA3, ebml) + segment + _element(0x1549A966, info) + _element(0x1654AE6B, _element(0xAE, track))
    )


def _cluster(at: int, ticks: int, rgb: NDArray[np.uint8]) -> Iterator[bytes | memoryview]:
    """One frame as a cluster of its own, so that its time may be any; the pixels are not copied."""
    pixels = np.ascontiguousarray(rgb).data.cast("B")
    block = b"\x81" + struct.pack(">hB", 0, 0)  # track 1, at the cluster's own time
    stays = _uint(0x9B, ticks)
    body_length = len(block) + len(pixels)
    group_length = 1 + 8 + body_length + len(stays)
    time = _uint(0xE7, at)
    yield (0x1F43B675).to_bytes(4, "big") + _size(len(time) + 1 + 8 + group_length) + time
    yield b"\xa0" + _size(group_length) + b"\xa1" + _size(body_length) + block
    yield pixels
    yield stays
