"""One training on several devices of this machine: one process per device, started, monitored and ended together.

``torchrun`` starts them where a training spans machines (``torchrun``, ``nodes``); here it is not used, because
its rendezvous listens on every network interface. What a process does belongs to ``rank`` and ``loop``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from nrdfer.core.errors import NrdferError, ProfileError, TrainingError, TrainingStopped
from nrdfer.core.state_files import read_state
from nrdfer.runtime.distributed import STORE
from nrdfer.training.request import TrainingRequest
from nrdfer.training.signals import StopRequest, stop_requests

PARENT = "NRDFER_RANKS_PARENT"  # number of the process that started the ranks
STOPPED = 143  # exit code of a process that saved after SIGTERM
_GRACE_S = 5.0  # for the other ranks to end when one has failed
_POLL_S = 0.5


def error_file(workdir: Path, rank: int) -> Path:
    """File in which a rank leaves the message of the error that ended it."""
    return workdir / f"rank-{rank}-error.json"


def train_on_ranks(
    request: TrainingRequest,
    world: int,
    visible: Sequence[str] | None = None,
    watch: Callable[[], None] | None = None,
) -> None:
    """Run a training on `world` processes until all have ended.

    Args:
        request: the training.
        world: number of processes.
        visible: the GPUs, one a process, as ``CUDA_VISIBLE_DEVICES`` names them; None on a CPU.
        watch: called about twice a second, and once at the end (to read the log).

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; everything is saved.
        NrdferError: what the first rank that failed had to say.
    """
    if visible is not None and len(visible) != world:
        raise ProfileError(f"engine: {world} devices are requested, and {len(visible)} GPUs are there")
    clear_errors(request.workdir, world)
    with tempfile.TemporaryDirectory(prefix="nrdfer-ranks-") as folder, stop_requests() as stop:
        spec = Path(folder) / "request.json"
        spec.write_text(request.to_json())
        processes = [_start(spec, rank, world, visible, Path(folder) / "store") for rank in range(world)]

        def ask_to_end() -> None:
            for process in processes:
                process.terminate()

        codes, asked = supervise(processes, stop, ask_to_end, watch)
    _raise_errors(request.workdir, codes, asked)


def clear_errors(workdir: Path, world: int) -> None:
    """Make the work folder, and forget what ended the ranks of an earlier start."""
    workdir.mkdir(parents=True, exist_ok=True)
    for rank in range(world):
        error_file(workdir, rank).unlink(missing_ok=True)


def supervise(
    processes: Sequence[subprocess.Popen[bytes]],
    stop: StopRequest,
    ask_to_end: Callable[[], object],
    watch: Callable[[], None] | None = None,
) -> tuple[list[int | None], bool]:
    """Wait until all processes have ended, or one has failed: then the others are ended.

    Args:
        processes: of one training.
        stop: becomes true when this process is to stop.
        ask_to_end: called once then; asks the training to save and to end.
        watch: called about twice a second, and once at the end.

    Returns:
        Exit codes, None for a process that another one's failure ended, and whether they were asked to end.
    """
    codes: list[int | None] = []
    asked = False
    try:
        while any(process.poll() is None for process in processes):
            if stop and not asked:
                asked = True
                ask_to_end()
            codes = [process.poll() for process in processes]
            if any(code not in (None, 0, STOPPED) for code in codes):
                break  # the others wait for that rank in vain
            time.sleep(_POLL_S)
            if watch is not None:
                watch()
        else:
            codes = [process.poll() for process in processes]
        _end(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    if watch is not None:
        watch()
    return codes, asked


def _start(spec: Path, rank: int, world: int, visible: Sequence[str] | None, store: Path) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        STORE: str(store),
        PARENT: str(os.getpid()),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
        # nothing of this is for the network
        "GLOO_SOCKET_IFNAME": "lo",
        "NCCL_SOCKET_IFNAME": "lo",
    }
    if visible is not None:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(visible)
    else:
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // world)))
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "nrdfer.training.rank", str(spec)],
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is this process's to pass on
    )


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask the remaining ranks to stop, and do not wait long: they may hang in a call that never returns."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _GRACE_S
    while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def read_words(workdir: Path, world: int) -> dict[int, dict[str, Any]]:
    """What the ranks that ended early left in the work folder, by rank."""
    said = {rank: read_state(error_file(workdir, rank), _words_of) for rank in range(world)}
    return {rank: words for rank, words in said.items() if words is not None}


def raise_first(words: Mapping[int, Mapping[str, Any]], world: int) -> NoReturn:
    """Raise the error of the rank that failed first."""
    rank = min(words, key=lambda rank: float(words[rank]["time"]))
    said = words[rank]
    raise (TrainingError if said["readable"] else NrdferError)(f"{said['message']} (rank {rank} of {world})")


def _words_of(document: Any) -> dict[str, Any]:
    return {
        "message": str(document["message"]),
        "time": float(document["time"]),
        "readable": bool(document["readable"]),
        "stopped": bool(document["stopped"]),
        "lost": bool(document["lost"]),
    }


def _raise_errors(workdir: Path, codes: Sequence[int | None], asked: bool) -> None:
    """Raise the errors of the ranks that failed first; later errors of others only report the lost connection."""
    words = read_words(workdir, len(codes))
    # a process that had not begun to train ends by SIGTERM itself
    fine = (None, 0, STOPPED, -signal.SIGTERM) if asked else (None, 0, STOPPED)
    failed = [rank for rank, code in enumerate(codes) if code not in fine]
    silent = [f"rank {rank} ended with {codes[rank]}" for rank in failed if rank not in words]
    if silent:
        raise TrainingError(
            f"{'; '.join(silent)} without a message: killed for lack of memory? Checkpoints are kept in {workdir}, "
            "and the same command continues"
        )
    if failed:  # what broke a connection says more than those who lost it
        first = {rank: words[rank] for rank in failed if not words[rank]["lost"]}
        raise_first(first or {rank: words[rank] for rank in failed}, len(codes))
    if words:
        raise TrainingStopped(words[min(words)]["message"])
    if asked and any(codes):
        raise TrainingStopped(f"stopped before it began; what {workdir} holds is kept, and the same command continues")
