"""One loop for all fuzz tests: damaged inputs go in, and every outcome is a result or an error in words.

A fuzz test is a file ``tests/fuzz/test_*.py`` with, for every part that is attacked, one test that calls

    fuzz("label files", make, run)

- `make(rng)` makes one input from a `random.Random`, by ``tests.fuzz.mutate`` or otherwise: same seed, same input.
- `run(input)` gives it to the code. What it returns is a *result*; an `NrdferError` with a message is *words*; an
  `AssertionError` is *wrong* (assert here what a result must be, so that none is silently wrong); any other exception
  is a *crash*; over 30 seconds is a *hang*; more than 2 GiB more memory is *memory*.
- `slower=10` tries a tenth of the inputs, for parts that take tens of milliseconds each (processes, videos).
- `words=(NrdferError, Other)` where another exception is how the part is meant to refuse.

Fails with the seed and a line that repeats it if anything is wrong, crashes, hangs or takes the memory. Returns the
`Tally`, so that a test can also assert that both results and words occurred: where all inputs are refused, little is
tested.

Environment: `NRDFER_FUZZ_INPUTS` (2000) inputs each; `NRDFER_FUZZ_FROM` (0) first seed; `NRDFER_FUZZ_ONLY` one seed,
whose exception is then raised as it is; `NRDFER_FUZZ_JSON` a file that receives a line of JSON for each part.
``make fuzz`` sets them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TypeVar

from nrdfer.core.errors import NrdferError

HANG_SECONDS = 30
MEMORY = 2 << 30
MAX_MESSAGE = 10_000  # characters; a longer one repeats its input
SHOWN = 8  # failures that are printed

Input = TypeVar("Input")


class Hang(BaseException):
    """Raised into an input that took too long; no ``except Exception`` keeps it."""


@dataclass
class Tally:
    """What became of the inputs of one part."""

    name: str
    inputs: int = 0
    results: int = 0
    words: int = 0
    wrong: int = 0
    crashes: int = 0
    hangs: int = 0
    memory: int = 0
    peak_mib: int = 0  # of growth
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def fuzz(
    name: str,
    make: Callable[[random.Random], Input],
    run: Callable[[Input], object],
    *,
    slower: int = 1,
    words: tuple[type[Exception], ...] = (NrdferError,),
) -> Tally:
    """Try many inputs; fails if one is neither a result nor words. The file's docstring tells all."""
    tally = Tally(name)
    started = time.monotonic()
    with _bounded_memory():
        for seed in _seeds(slower):
            given = make(random.Random(f"{name}:{seed}"))
            _try(tally, seed, lambda given=given: run(given), words)
    tally.seconds = round(time.monotonic() - started, 1)
    _write(tally)
    assert not tally.failures, _report(tally)
    return tally


def _seeds(slower: int) -> range:
    if only := os.environ.get("NRDFER_FUZZ_ONLY"):
        return range(int(only), int(only) + 1)
    first = int(os.environ.get("NRDFER_FUZZ_FROM", "0"))
    return range(first, first + max(1, int(os.environ.get("NRDFER_FUZZ_INPUTS", "2000")) // slower))


def _try(tally: Tally, seed: int, call: Callable[[], object], words: tuple[type[Exception], ...]) -> None:
    tally.inputs += 1
    before, peak = _resident(), _peak()
    trouble: tuple[str, BaseException] | None = None
    try:
        with _alarm():
            call()
        tally.results += 1
    except words as error:
        tally.words += 1
        if not str(error).strip() or len(str(error)) > MAX_MESSAGE:
            trouble = ("crashes", error)
    except Hang as error:
        trouble = ("hangs", error)
    except MemoryError as error:
        trouble = ("memory", error)
    except AssertionError as error:
        trouble = ("wrong", error)
    except Exception as error:
        trouble = ("crashes", error)
    grown = _peak() - before if _peak() > peak else 0
    tally.peak_mib = max(tally.peak_mib, grown >> 20)
    if grown > MEMORY and trouble is None:
        trouble = ("memory", MemoryError(f"{grown >> 20} MiB more than before"))
    if trouble is None:
        return
    kind, error = trouble
    if os.environ.get("NRDFER_FUZZ_ONLY"):
        raise error
    setattr(tally, kind, getattr(tally, kind) + 1)
    where = "".join(f"\n    {f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)[-3:])
    tally.failures.append(f"seed {seed}: {kind}: {type(error).__name__}: {str(error)[:300]!r}{where}")


def _report(tally: Tally) -> str:
    test = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]
    lines = [f"{tally.name}: {len(tally.failures)} of {tally.inputs} inputs are neither a result nor an error in words"]
    lines += tally.failures[:SHOWN]
    first = tally.failures[0].split(":")[0].removeprefix("seed ")
    lines.append(f"repeat the first: NRDFER_FUZZ_ONLY={first} python -m pytest '{test}'")
    return "\n".join(lines)


def _write(tally: Tally) -> None:
    if path := os.environ.get("NRDFER_FUZZ_JSON"):
        line = json.dumps(dataclasses.asdict(tally) | {"failures": tally.failures[:SHOWN]}) + "\n"
        with Path(path).open("a") as file:  # one write of one line: several processes may append
            file.write(line)


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise Hang(f"no end after {HANG_SECONDS} s")

    started = time.monotonic()
    earlier = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
    faulthandler.dump_traceback_later(10 * HANG_SECONDS, exit=True)  # where no signal gets through
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
        faulthandler.cancel_dump_traceback_later()
    if time.monotonic() - started > HANG_SECONDS:
        raise Hang(f"{time.monotonic() - started:.0f} s")  # the alarm was swallowed


@contextlib.contextmanager
def _bounded_memory() -> Iterator[None]:
    """Let an input that asks for far too much have a MemoryError instead of the machine's memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _status("VmSize") + 2 * MEMORY
    limited = sys.platform == "linux" and (hard == resource.RLIM_INFINITY or wanted < hard)
    if limited:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    try:
        yield
    finally:
        if limited:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _resident() -> int:
    with contextlib.suppress(OSError, IndexError), open("/proc/self/statm") as file:  # noqa: PTH123 - called often
        return int(file.read().split()[1]) * resource.getpagesize()
    return _peak()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _status(key: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    return 0
