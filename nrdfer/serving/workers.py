"""Worker processes that compute predictions: one that hangs or dies is replaced, and its request fails.

A thread that decodes a video cannot be stopped, a process can; and a damaged file that crashes a decoder ends a worker,
not the server. Each opens the model once, from files that were checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from nrdfer.core.errors import NrdferError
from nrdfer.serving.service import Reply, Service, refusal

Open = Callable[[], Service]  # of a module, or what can be pickled; called in the worker
_STARTING = 180.0  # seconds for a worker to load its model
_log = logging.getLogger(__name__)


class Worker:
    """One process and the pipe to it; used by one thread at a time.

    Args:
        make: opens the model, in the process.
    """

    def __init__(self, make: Open) -> None:
        self._make = make
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._launched = 0.0
        self._ready = False
        self._scratch = tempfile.mkdtemp(prefix="nrdfer-serve-")  # videos that were sent; emptied when it is killed

    def start(self) -> None:
        """Start the process, and wait until its model is loaded.

        Raises:
            NrdferError: it is not.
        """
        try:
            self._launch()
            if not self._becomes_ready(_STARTING):
                raise NrdferError("the model cannot be served: it does not become ready")
        except BaseException:
            self.close()
            raise

    def ask(self, body: bytes, seconds: float) -> Reply:
        """Reply within `seconds`; a process that gives none is replaced, and the next loads the model at once."""
        deadline = time.monotonic() + seconds
        try:
            if self._process is None:
                self._launch()
            if self._pipe is None:
                raise OSError("no pipe")
            if not self._becomes_ready(seconds):
                if time.monotonic() - self._launched > _STARTING:
                    self._end()
                return refusal("the model is being reloaded, as a request ended its process; ask again later", 503)
            self._pipe.send_bytes(body)
            if self._pipe.poll(max(0.0, deadline - time.monotonic())):
                return Reply(int(self._pipe.recv()), self._pipe.recv_bytes())
            reply = refusal(f"the request took longer than {seconds:.0f} s; send less at a time", 422)
        except NrdferError as error:
            _log.error("%s", error)
            return refusal("the server cannot restart its model; see its log", 500)
        except (EOFError, OSError):
            words = "the worker process died on this request (memory is the usual cause); send less at a time"
            reply = refusal(words, 422)
        self._end()
        with contextlib.suppress(OSError):  # the next request tries again
            self._launch()
        return reply

    def _launch(self) -> None:
        context = get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_work, args=(self._make, other, self._scratch), daemon=True)
        self._launched, self._ready = time.monotonic(), False
        self._process.start()
        other.close()

    def _becomes_ready(self, seconds: float) -> bool:
        """Wait until the model is loaded, within a limit.

        Raises:
            NrdferError: it cannot be loaded.
        """
        if self._ready or self._pipe is None:
            return self._ready
        try:
            if not self._pipe.poll(seconds):
                return False
            problem = self._pipe.recv()
        except (EOFError, OSError):
            problem = "its process died"
        if problem:
            self._end()
            raise NrdferError(f"the model cannot be served: {problem}")
        self._ready = True
        return True

    def close(self) -> None:
        """End the process, and remove its files."""
        self._end()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join(10)
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None
        for left in Path(self._scratch).glob("*"):
            shutil.rmtree(left, ignore_errors=True)


class Workers:
    """Several workers, each used by one thread.

    Args:
        make: opens the model.
        count: of processes.
    """

    def __init__(self, make: Open, count: int) -> None:
        self._all = [Worker(make) for _ in range(count)]
        self._free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(count, "answers")
        self._closed = threading.Event()

    def start(self) -> None:
        """Start all; see `Worker.start`."""
        try:
            for worker in self._all:
                worker.start()
                self._free.put(worker)
        except NrdferError:
            self.close()
            raise

    async def answer(self, body: bytes, seconds: float) -> Reply:
        """Reply of the first free worker; waiting for one counts towards the limit."""
        deadline = time.monotonic() + seconds
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, body, deadline, seconds)

    def _ask(self, body: bytes, deadline: float, seconds: float) -> Reply:
        left = deadline - time.monotonic()
        if left <= 0 or self._closed.is_set():
            return refusal(f"no worker was free within the {seconds:.0f} s that a request may take; ask later", 429)
        worker = self._free.get()
        try:
            return worker.ask(body, left)
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End all."""
        self._closed.set()
        for worker in self._all:
            with contextlib.suppress(Exception):
                worker.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _work(make: Open, pipe: Connection, scratch: str) -> None:
    """Main loop of a worker."""
    import signal

    from nrdfer.core.processes import die_with_parent

    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which ends its workers
    tempfile.tempdir = scratch
    try:
        service = make()
    except NrdferError as error:
        pipe.send(str(error))
        return
    pipe.send("")
    with contextlib.suppress(EOFError, OSError):  # the server has ended
        while True:
            reply = service.reply(pipe.recv_bytes())
            pipe.send(reply.status)
            pipe.send_bytes(reply.body)
