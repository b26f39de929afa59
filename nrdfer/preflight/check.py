"""All checks of a run together, within a time limit: what is not known by then is left to the steps."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from nrdfer.preflight.clips import read_corpus, source_faults
from nrdfer.preflight.machine import device_faults, video_faults, weights_faults
from nrdfer.preflight.network import Ask, Question
from nrdfer.preflight.plan import Fault, Plan
from nrdfer.preflight.room import room_faults

PATIENCE = 45.0  # seconds for all of it: a run does not wait for a file system that does not answer
_LEAST = 10.0  # seconds for the network, where the run is refused anyway
_log = logging.getLogger(__name__)


def find_faults(plan: Plan, ask: Ask, *, cluster: bool = False, patience: float = PATIENCE) -> list[Fault]:
    """Everything that would stop a run, as far as it can be known before its first step.

    A run that is up to date has its corpora not read and its network not built.

    Args:
        plan: what it makes.
        ask: answers for the network and the devices, in a process that has torch.
        cluster: whether other machines run the steps: their GPUs, weights and folders may differ from this one's.
        patience: seconds.
    """
    tasks: dict[str, Callable[[], Any]] = {
        "the folders of the corpora": lambda: list(source_faults(plan)),
        "ffmpeg": lambda: list(video_faults(plan)),
        "the weights": lambda: list(weights_faults(plan)),
    }
    plain = tuple(tasks)
    answer: dict[str, Any] = {}
    deadline = time.monotonic() + patience
    if plan.absent:
        tasks |= {corpus.name: partial(read_corpus, plan, corpus) for corpus in plan.corpora}
    question = Question(plan.profile.written, [corpus.name for corpus in plan.corpora], not cluster)
    asked = begin({"the network": lambda: ask(question)} if plan.absent and plan.computes else {}, answer)
    done = within(patience, tasks)
    found = [fault for name in plain for fault in done.get(name, [])]
    read = {corpus.name: done[corpus.name] for corpus in plan.corpora if corpus.name in done}
    found += [fault for faults, _ in read.values() for fault in faults]
    if plan.absent:
        found += room_faults(plan, {name: frames for name, (_, frames) in read.items()})
    wait(asked, min(deadline, time.monotonic() + _LEAST) if found else deadline)
    known: list[Fault] | None = answer.get("the network")
    return found + (list(device_faults(plan)) if known is None else known)


def within(seconds: float, tasks: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Results of tasks that ended in time; one that did not, or that failed, is named in the log and not waited for."""
    results: dict[str, Any] = {}
    wait(begin(tasks, results), time.monotonic() + seconds)
    return dict(results)


def begin(tasks: Mapping[str, Callable[[], Any]], results: dict[str, Any]) -> dict[str, threading.Thread]:
    """Begin tasks, each in a thread that no one has to wait for; `results` receives theirs by name."""

    def do(name: str, task: Callable[[], Any]) -> None:
        try:
            results[name] = task()
        except Exception as error:  # a check must not end what the step itself may be able to do
            _log.warning("%s could not be checked before the first step: %s", name, error)

    threads = {name: threading.Thread(target=do, args=(name, task), daemon=True) for name, task in tasks.items()}
    for thread in threads.values():
        thread.start()
    return threads


def wait(threads: Mapping[str, threading.Thread], deadline: float) -> None:
    """Wait for tasks until a time of the monotonic clock; those that go on are named in the log."""
    for name, thread in threads.items():
        thread.join(max(deadline - time.monotonic(), 0.0))
        if thread.is_alive():
            _log.warning("%s could not be checked in time; the run's steps will", name)
