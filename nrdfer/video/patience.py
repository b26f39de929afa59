"""Time limits for ffmpeg, so that no video blocks all others, and a slow machine costs no video.

The limit counts ffmpeg's processor time: on an overloaded machine, or with a disk that does not respond, it gets none,
and that is not the video's fault. Keep out: what is waited for (``probe``, ``decode``).
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil

from nrdfer.core.errors import MachineError, UnreadableVideoError

LOOK = 5.0  # seconds between two readings of the clock
_BY_THE_CLOCK = 10  # times as many seconds may pass as it may work


class Patience:
    """Time limit of a process for one operation.

    Args:
        path: the video that it reads.
        process: ffmpeg.
        seconds: of processor time; ten times as many may pass.
    """

    def __init__(self, path: Path, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._path, self._process, self._seconds = path, process, seconds
        self.renew()

    def renew(self) -> None:
        """Restart the count: there was output. Costs next to nothing, for it is called for every frame."""
        self._began = time.monotonic()
        self._before: float | None = None  # seconds of the processor at the first look since then

    def check(self, wanted: str) -> None:
        """Raise an error once the time is used up.

        Args:
            wanted: what it has not done yet; ends a sentence.

        Raises:
            UnreadableVideoError: it has worked for too long.
            MachineError: it had hardly a chance to work.
        """
        if self._before is None:
            self._before = self._work()
        passed, worked = time.monotonic() - self._began, self._work() - self._before
        if worked >= self._seconds:
            raise UnreadableVideoError(
                f"{self._path}: ffmpeg has worked for {worked:.0f} seconds and not {wanted}: a damaged file; copy it "
                "again, or convert it"
            )
        if passed >= _BY_THE_CLOCK * self._seconds:
            raise MachineError(
                f"{self._path}: in {passed:.0f} seconds ffmpeg had {worked:.0f} seconds of the processor and has not "
                f"{wanted}: this machine is overloaded, or the disk does not answer. This is not the "
                "video's fault, so it is not excluded; run the same command again to continue"
            )

    def _work(self) -> float:
        try:
            spent = psutil.Process(self._process.pid).cpu_times()
        except psutil.Error:  # it has just ended
            return self._before or 0.0
        return float(spent.user + spent.system)
