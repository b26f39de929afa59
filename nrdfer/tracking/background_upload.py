"""A training's log into MLflow while it runs, by a thread that a missing server never stops.

Keep here: when to try, to wait and to give up. The requests belong to ``log_uploader``; what is left when a
training ends without a server, to ``pending_uploads``. The training's own thread never talks to MLflow.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from types import TracebackType

from nrdfer.core.errors import TrainingStopped
from nrdfer.core.machine_errors import waiting_helps
from nrdfer.core.redaction import hide
from nrdfer.tracking import pending_uploads
from nrdfer.tracking.client import Tracking, mark_pipeline
from nrdfer.tracking.log_uploader import LogUploader, RunFacts, count_points
from nrdfer.tracking.open_runs import RUNS, OpenRun
from nrdfer.tracking.timeouts import brief_requests

_log = logging.getLogger(__name__)
_LONGEST_PAUSE = 15.0  # seconds between two attempts while the server is unreachable
_AT_THE_END = 3.0  # the same when the training has ended and waits for it
_PATIENCE_WHEN_KILLED = 10.0  # an interrupted training should end soon
_LAST_TRY = 3.0  # once more at the end, in case the disk has room again
_UNDER_WAY = 25.0  # a request that was begun ends by itself within this time


class Delivery:
    """Uploads inside its ``with`` block; at the block's end the run's status reflects how the training ended.

    FINISHED; FAILED after an exception; KILLED after an interrupt. If the process is killed, so that nothing is
    recorded at the end, the next process that finds the same MLflow records FAILED (`pending_uploads.upload_pending`).

    Args:
        tracking: the MLflow store; the delivery's thread is the only one to use it meanwhile.
        path: of the training's log.
        facts: further facts for MLflow.
        wait: seconds that the end waits for an unreachable server; then the rest is left for a later delivery.
        every: seconds between two reads of the log.
        log: receives a message when the server becomes unreachable or reachable again.
    """

    def __init__(
        self,
        tracking: Tracking,
        path: Path,
        facts: RunFacts,
        *,
        wait: float = 120.0,
        every: float = 2.0,
        log: logging.Logger = _log,
    ) -> None:
        self._tracking, self._path, self._facts = tracking, path, facts
        self._wait, self._every, self._log = wait, every, log
        self.run_id: str | None = None  # of MLflow's run, once the server has answered
        self.complete = False  # everything was delivered, the status too
        self._away = False
        self._hopeless = False  # the failure is permanent: a full disk, an invalid address
        self._arrived = 0
        self._since_lost = 0
        self._status, self._started, self._ended = "", time.time(), 0.0
        self._over, self._abandon = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="delivery to MLflow", daemon=True)

    def __enter__(self) -> Delivery:
        if self._facts.pipeline:
            mark_pipeline(self._facts.pipeline, self._tracking.address)
        self._mark("FAILED")  # its status if no process records how it ended
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._status = "FINISHED"
        else:
            asked = isinstance(error, TrainingStopped) or not isinstance(error, Exception)
            self._status = "KILLED" if asked else "FAILED"
        self._ended = time.time()
        patience = min(self._wait, _PATIENCE_WHEN_KILLED) if self._status == "KILLED" else self._wait
        if self._hopeless:
            patience = min(patience, _LAST_TRY)
        elif self._away:
            self._log.warning("the training has ended; waiting up to %.0f s for %s", patience, self._server)
        self._over.set()
        try:
            self._wait_for_it(patience)
        finally:  # an interrupt ends the waiting, not the keeping
            self._abandon.set()
            self._thread.join(min(patience, _UNDER_WAY))
            if self.complete or self._leave():
                RUNS.remove(self._facts.digest)
            else:
                self._mark(self._status, int(1000 * self._ended))  # so that at least its end is recorded later

    def _wait_for_it(self, patience: float) -> None:
        """Wait until everything is uploaded, but not long where waiting does not help."""
        deadline = time.monotonic() + patience
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._thread.join(0.2)
            if self._hopeless:
                deadline = min(deadline, time.monotonic() + _LAST_TRY)

    @property
    def _server(self) -> str:
        return f"MLflow at {self._tracking.address}"

    def _run(self) -> None:
        uploader: LogUploader | None = None
        failures = 0
        while not self._abandon.is_set():
            over = self._over.is_set()  # read before the log: if set, the log is complete
            try:
                with brief_requests():
                    fresh = uploader is None
                    if uploader is None:
                        uploader = self._connect()
                    self._since_lost += uploader.send()
                    self._arrived = uploader.arrived
                    if over:
                        uploader.end(self._status, self._ended)
                self._found()
                if over:
                    self.complete = True
                    return
                if fresh:
                    pending_uploads.upload_pending(self._tracking, self._log)
                failures, pause = 0, self._every
            except Exception as error:
                # of any kind (a proxy's page, a database's own error): training continues, and the next
                # attempt begins with a query of what has arrived
                uploader = None
                self._hopeless = not waiting_helps(error)
                self._lose(error)
                pause = min(2.0**failures, _AT_THE_END if over else _LONGEST_PAUSE)
                failures += 1
            (self._abandon if over else self._over).wait(pause)

    def _connect(self) -> LogUploader:
        pending_uploads.take_back(self._facts.digest)
        uploader = LogUploader(self._tracking, self._path, self._facts, self._started)
        uploader.begin()
        self.run_id = uploader.run_id
        return uploader

    def _lose(self, error: Exception) -> None:
        if not self._away:
            self._away, self._since_lost = True, 0
            self._log.warning(
                "cannot upload this training's metrics to %s (%s); training continues, its log is %s, and what is "
                "missing will be uploaded later",
                self._server,
                hide(f"{type(error).__name__}: {str(error)[:200]}"),
                self._path,
            )

    def _found(self) -> None:
        self._hopeless = False
        if self._away:
            self._away = False
            self._log.warning("%s is back: %d points that it had missed were uploaded", self._server, self._since_lost)

    def _mark(self, status: str, ended: int | None = None) -> None:
        """Record the run as open, with the status to set if this process dies; a failure does not end the training."""
        try:
            RUNS.write(self._facts.digest, OpenRun(uri=self._tracking.address, status=status, ended=ended))
        except OSError as error:
            self._log.warning("%s will not be closed in MLflow if its process is killed: %s", self._facts.name, error)

    def _leave(self) -> bool:
        """Keep the missing part for later; a failure must not fail a training that has ended well."""
        try:
            missing = count_points(self._path) - self._arrived
            marker = pending_uploads.leave(
                self._facts, self._tracking.address, self._path, self._status, self._started, self._ended
            )
        except Exception:
            self._log.exception("what MLflow misses of the training in %s could not be kept for later", self._path)
            return False
        self._log.warning(
            "%s is still unreachable: %d points of %s and its end (%s) are missing there, kept in %s, and uploaded "
            "by the next training or evaluation that reaches the server",
            self._server,
            missing,
            self._facts.name,
            self._status,
            marker,
        )
        return True
