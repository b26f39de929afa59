"""How long ffmpeg may work on one thing, so that no video holds up all others, and no slow machine costs a video.

Counted are the seconds of processor time that it has had: on a machine with too much to do, or a disk that does not
answer, it gets none, and that says nothing about the video. Keep out: what is waited for (``probe``, ``decode``).
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil

from nrdfer.core.errors import MachineError, UnreadableVideoError

LOOK = 5.0  # seconds from one look at the clock to the next
_BY_THE_CLOCK = 10  # times as many seconds may pass as it may work


class Patience:
    """The time that is left to a process for one thing.

    Args:
        path: the video that it reads.
        process: ffmpeg.
        seconds: of processor time; ten times as many may pass.
    """

    def __init__(self, path: Path, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._path, self._process, self._seconds = path, process, seconds
        self.renew()

    def renew(self) -> None:
        """Begin to count anew: something came. Costs next to nothing, for it is called for every frame."""
        self._began = time.monotonic()
        self._before: float | None = None  # seconds of the processor at the first look since then

    def check(self, wanted: str) -> None:
        """Do nothing while there is time.

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
                f"{wanted}: this machine has too much to do, or the disk does not answer. That says nothing about the "
                "video, so it is not set aside; the same line goes on with what is not finished"
            )

    def _work(self) -> float:
        try:
            spent = psutil.Process(self._process.pid).cpu_times()
        except psutil.Error:  # it has just ended
            return self._before or 0.0
        return float(spent.user + spent.system)
