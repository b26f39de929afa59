"""A video that ffmpeg writes from piped input: complete, or not at all.

Keep here: the process, its error output, and the publication of the file. Keep out: the command, and what is piped
(``constant_rate_writer``, ``timed_writer``).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from nrdfer.core.atomic_files import temporary_beside
from nrdfer.core.errors import EncodingError
from nrdfer.video.ffmpeg import last_lines


class FfmpegPipe(ABC):
    """Context manager around one ffmpeg process; subclasses define its input.

    The file appears at `path` only when the block ends without an exception and `_missing` finds nothing missing; until
    then a hidden sibling (`_partial`) holds it.

    Args:
        path: target.

    Raises:
        EncodingError: ffmpeg failed (its last words are quoted), or something is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.frames = 0  # written so far
        self._partial = temporary_beside(self.path)
        self._command: Sequence[str] = ()
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None

    @abstractmethod
    def _missing(self) -> str:
        """Description of what should have been written and was not; empty if the video is whole."""

    def _finished(self) -> Path:
        """Hook for the whole file, before it appears; a subclass may post-process it."""
        return self._partial

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # a file, not a pipe: ffmpeg's messages are not read while frames are being written
        self._stderr = tempfile.TemporaryFile()
        self._process = subprocess.Popen(  # noqa: S603 - no shell, the command is the subclass's
            self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._stderr
        )
        return self

    def _send(self, data: bytes | memoryview) -> None:
        if self._process is None or self._process.stdin is None:
            raise EncodingError(f"{self.path}: write() outside of the `with` block of its {type(self).__name__}")
        try:
            self._process.stdin.write(data)
        except BrokenPipeError:
            self._process.wait()
            raise EncodingError(
                f"{self.path}: ffmpeg stopped after {self.frames} frames: {self._complaints()}"
            ) from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._close(failed=kind is not None)
        finally:
            self._partial.unlink(missing_ok=True)
            if self._stderr is not None:
                self._stderr.close()

    def _close(self, *, failed: bool) -> None:
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        if failed:
            process.kill()
        cut = False
        try:
            process.stdin.close()
        except BrokenPipeError:  # what was still buffered did not arrive
            cut = True
        code = process.wait()
        if failed:
            return
        if code != 0:
            raise EncodingError(f"{self.path}: ffmpeg failed with exit status {code}: {self._complaints()}")
        missing = "ffmpeg ended before it had read every frame" if cut else self._missing()
        if missing:
            raise EncodingError(f"{self.path}: {missing}")
        whole = self._finished()
        with whole.open("rb+") as written:
            os.fsync(written.fileno())
        whole.replace(self.path)

    def _complaints(self) -> str:
        if self._stderr is None:
            return ""
        self._stderr.seek(0)
        return last_lines(self._stderr.read())
