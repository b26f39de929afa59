"""Writing videos frame by frame, whole or not at all, with bytes that depend on nothing but the frames.

Which frames to write is decided by the caller; reading videos is `nrdfer.video.decode`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from nrdfer.core.errors import EncodingError
from nrdfer.video.ffmpeg import ffmpeg_for
from nrdfer.video.ffmpeg_writer import FfmpegPipe
from nrdfer.video.inputs import STAND_IN, compiled

Codec = Literal["mpeg4", "libx264", "mjpeg"]

#: Quality when none is given, in each encoder's own scale (lower is better): -q:v for mpeg4 and mjpeg, -crf
#: for libx264.
DEFAULT_QUALITY: dict[str, int] = {"mpeg4": 3, "libx264": 18, "mjpeg": 3}


class VideoWriter(FfmpegPipe):
    """Context manager that encodes RGB frames into a video file.

    The file appears at `path` only when the block ends without an exception; until then a hidden sibling
    holds it. Single-threaded and bit-exact flags make equal frames give equal bytes (with the same ffmpeg).

    Args:
        path: target; its suffix names the container (.avi, .mp4, .mov, .mkv).
        width: frame width in pixels; even for libx264 and mpeg4, whose colour planes are halved.
        height: frame height in pixels, likewise.
        fps: constant frame rate.
        codec: "mpeg4" (as AFEW's films), "libx264" or "mjpeg".
        quality: the encoder's own quality number; None takes `DEFAULT_QUALITY`.

    Raises:
        ValueError: a size, rate or codec that cannot be encoded.
        EncodingError: no ffmpeg has the codec, ffmpeg failed (its last words are quoted), or nothing was written.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        fps: float,
        codec: Codec = "mpeg4",
        quality: int | None = None,
    ) -> None:
        if codec not in get_args(Codec):
            raise ValueError(f"codec {codec!r} is not one of {', '.join(get_args(Codec))}")
        if width <= 0 or height <= 0 or fps <= 0:
            raise ValueError(f"{path}: cannot encode {width} x {height} at {fps} frames a second")
        if codec != "mjpeg" and (width % 2 or height % 2):
            raise ValueError(f"{path}: {codec} needs even sides, not {width} x {height}; crop, or use mjpeg")
        super().__init__(path)
        self.shape = (height, width, 3)
        self._command = self._compile(fps, codec, DEFAULT_QUALITY[codec] if quality is None else quality)

    def _compile(self, fps: float, codec: Codec, quality: int) -> list[str]:
        executable = ffmpeg_for("encoders", [codec])
        if executable is None:
            raise EncodingError(f"{self.path}: no ffmpeg on this machine encodes with {codec}; install a fuller one")
        height, width, _ = self.shape
        options: dict[str, Any] = {
            "c:v": codec,
            "crf" if codec == "libx264" else "q:v": quality,
            "pix_fmt": "yuvj420p" if codec == "mjpeg" else "yuv420p",
            "threads": 1,
            "sws_flags": "bicubic+accurate_rnd+bitexact",
            "flags:v": "+bitexact",
            "fflags": "+bitexact",
            "map_metadata": -1,
        }
        source = ffmpeg.input("pipe:0", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=fps)
        output = source.output(STAND_IN, **options).global_args("-v", "error", "-y")
        return compiled(output, executable, self._partial)

    def write(self, rgb: NDArray[np.uint8]) -> None:
        """Append one frame, (height, width, 3) uint8 RGB.

        Raises:
            ValueError: the frame has another shape or type.
            NrdferError: ffmpeg has stopped, or the writer is not open.
        """
        if rgb.shape != self.shape or rgb.dtype != np.uint8:
            raise ValueError(f"{self.path}: frame is {rgb.dtype} {rgb.shape}, the video is uint8 {self.shape}")
        self._send(np.ascontiguousarray(rgb).data)
        self.frames += 1

    def _missing(self) -> str:
        return "" if self.frames else "no frame was written, so there is no video"
