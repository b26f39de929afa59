"""Fill the disk while each step works, make room, and type the same command again: ``make chaos-disk``.

    python -m scripts.chaos.disk [--trials 20] [--seed 0] [--within 30] [--folder DIR] [--json FILE]

Every trial has two small disks of its own (tmpfs): one with the project's folder, which holds ``.nrdfer`` and
``.dagster``, and one for temporary files (TMPDIR). ``dagster job execute -j full_reproduction`` is typed on a tiny
profile; as soon as a given step begins, a file is put on the first disk, the second, or both, that leaves so many bytes
free: a size drawn below what that step's artefact takes. Every asset is met so. Then that file is removed and the same
line is typed again.

A trial is good if the first line ends by itself, with another status than 0 and the summary of what stopped it, which
tells of the full disk, within 30 seconds of the disk's being full; if everything published is whole at that moment;
and if the second line ends with 0 and the bytes of an undisturbed run (crops, shards, weights, histories,
predictions, figures, tables), and leaves no process, pool slot or RUNNING run. A step that needs no room there may end
well: then not a byte must have been free while it ran, and its results must be right. Needs root, for mounting; the
mounts are seen by this script's processes only, and are gone when it ends, however it ends. Ends with status 1 unless
all are good.
"""

from __future__ import annotations

import ctypes
import errno
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from devtools import job_state
from devtools.chaos.line import LOOK, SUMMARY, project, start, undisturbed
from devtools.chaos.trials import Trial, arguments, complaints_of, conclude, play, type_again, work_folder

_PAGE = 4096
_SIZE = {"home": 256, "temporary": 64}  # MiB
_PATIENCE = 900.0
_TRIES = 4
_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
_FULL = re.compile(r"no space left|disk is full|disk full|no room|is full|full disk", re.IGNORECASE)
#: What is full, and the asset whose step meets it (as its steps begin in the log, and as a folder of the store).
_HOME = (
    "corpus", "afew/videos", "dfew/clips", "dfew/shards", "dfew/folds", "afew/aligned_faces", "afew/enhanced_faces",
    "afew/shards", "dfew/fd{k}/checkpoint", "dfew/fd{k}/evaluation", "dfew/cross_validation", "afew/checkpoint",
    "afew/evaluation", "report",
)  # fmt: skip
_TEMPORARY = ("dfew/fd{k}/evaluation", "afew/evaluation", "report")
_BOTH = ("afew/enhanced_faces", "dfew/fd{k}/checkpoint", "dfew/fd{k}/evaluation")


@dataclass
class Full(Trial):
    """Result of one run on a full disk."""

    disks: list[str]
    asset: str
    free: int = 0  # bytes that were left to the step
    ended_with: int | None = None
    after_full: float = 0.0  # seconds until the line had ended
    nothing_free: bool = False  # while the step had begun and not yet ended
    summary: str = field(default="")


def own_mounts() -> None:
    """From here on, let mounts be this process's and its children's own; the kernel removes them with the last of them.

    Raises:
        SystemExit: this user may not mount.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise SystemExit(f"small disks cannot be mounted here ({reason}): run this as root, outside of a container")
    _mount("--make-rprivate", "/")


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True)  # noqa: S603, S607
    if done.returncode != 0:
        raise SystemExit(f"small disks cannot be mounted here ({done.stderr.strip()}): run this as root")


@contextmanager
def disk(at: Path, megabytes: int) -> Iterator[Path]:
    """A small disk at a folder (to make), unmounted afterwards."""
    at.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(at))
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)  # noqa: S603, S607


def free_bytes(folder: Path) -> int:
    """What can still be written to a folder's disk."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def fill(folder: Path, leave: int) -> Path:
    """Put a file into a folder so that at most so many bytes, in whole pages, stay free on its disk; returns it."""
    leave = leave // _PAGE * _PAGE
    ballast = folder / "ballast"
    with ballast.open("ab") as file:
        while (excess := free_bytes(folder) - leave) >= _PAGE:
            try:
                os.posix_fallocate(file.fileno(), file.tell(), excess // _PAGE * _PAGE)
            except OSError as error:  # the run took some of it meanwhile
                if error.errno != errno.ENOSPC:
                    raise
            file.seek(0, os.SEEK_END)
    return ballast


class Filler:
    """What all trials share, and how one goes."""

    def __init__(self, folder: Path, seed: int, within: float) -> None:
        self.whole, self.seed, self.within = folder / "undisturbed", seed, within
        self.seen = undisturbed(self.whole)
        self.expected = job_state.results(self.whole)

    def fill_once(self, trial: Full, own: Path) -> None:
        """One trial."""
        rng = random.Random(f"{self.seed} {trial.number}")
        needed = self._bytes_of(trial.asset) if "home" in trial.disks else 256 * 1024
        trial.free = rng.randrange(_PAGE, max(2 * _PAGE, needed)) // _PAGE * _PAGE
        for _ in range(_TRIES):
            shutil.rmtree(own, ignore_errors=True)
            own.mkdir()
            # a short name: sockets are in it
            with disk(own / "home", _SIZE["home"]) as home, disk(own / "tmp", _SIZE["temporary"]) as temporary:
                environment = self._project(home, trial.asset) | {"TMPDIR": str(temporary)}
                places = {"home": home, "temporary": temporary}
                if self._run_full(trial, own, environment, {name: places[name] for name in trial.disks}):
                    trial.complaints += job_state.damaged(home)
                    for place in places.values():
                        (place / "ballast").unlink(missing_ok=True)
                    type_again(trial, home, environment, self.expected, log_in=own)
                    return
                if trial.free < _PAGE:  # the step writes nothing there: then its results must be right
                    trial.summary = "ended with 0, though nothing was free"
                    if not trial.nothing_free:
                        trial.complaints.append("it ended with 0, and the step had ended before the disk was full")
                    trial.complaints += complaints_of(home, self.expected)
                    return
            trial.free = trial.free // 4 // _PAGE * _PAGE  # as much as `fill` leaves
        trial.complaints.append(f"it ended with 0 {_TRIES} times: the disk was never full")

    def _bytes_of(self, asset: str) -> int:
        folder = self.whole / ".nrdfer" / ("corpus" if asset == "corpus" else f"store/{asset}")
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    def _project(self, home: Path, asset: str) -> dict[str, str]:
        """A project in which everything before the asset is ready."""
        environment = project(home, None if asset == "corpus" else self.whole)
        shutil.rmtree(home / ".nrdfer/store" / asset, ignore_errors=True)
        return environment

    def _run_full(self, trial: Full, own: Path, environment: dict[str, str], disks: dict[str, Path]) -> bool:
        """Type the line, fill the disks when the step begins; false if it ends with 0 all the same."""
        process, log = start(own / "home", environment, "full", log_in=own)
        step = trial.asset.replace("/", "__")
        begins = re.compile(rf" - {'RUN_START' if step == 'corpus' else step + r'[^ ]* - STEP_START'} - ")
        last = "RUN" if step == "corpus" else step + r"(?:[.][^ ]*_publish)? - STEP"
        ends = re.compile(rf" - {last}_SUCCESS - ")
        while process.poll() is None and not begins.search(log.read_text(errors="replace")):
            time.sleep(LOOK)
        for place in disks.values():
            fill(place, trial.free)
        trial.nothing_free = not any(free_bytes(place) for place in disks.values())
        trial.nothing_free &= ends.search(log.read_text(errors="replace")) is None
        full_since: float | None = None
        deadline = time.monotonic() + _PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            full = any(free_bytes(place) < _PAGE for place in disks.values())
            if full_since is None and (full or _FULL.search(log.read_text(errors="replace"))):
                full_since = time.monotonic()
            time.sleep(LOOK)
        if process.poll() is None:
            trial.complaints.append(f"it had not ended after {_PATIENCE:.0f} s")
            process.kill()
        trial.ended_with = process.wait()
        if trial.ended_with == 0:
            return False
        trial.after_full = round(time.monotonic() - (full_since or time.monotonic()), 1)
        self._judge(trial, log.read_text(errors="replace"))
        return True

    def _judge(self, trial: Full, said: str) -> None:
        """Look at how the failing line ended."""
        _, found, summary = said.rpartition(SUMMARY)
        trial.summary = " ".join(summary.split())[:300] if found else ""
        if not found:
            trial.complaints.append(f"it ended without a summary: {said[-2500:]}")
        elif not _FULL.search(summary):
            trial.complaints.append("the summary does not tell of the full disk")
        if trial.after_full > self.within:
            trial.complaints.append(f"it ended {trial.after_full:.0f} s after the disk was full")


def plan(trials: int, rng: random.Random) -> list[Full]:
    """Every asset with a full home, some with full temporary files, some with both; more trials repeat these."""
    kinds = [(["home"], asset) for asset in _HOME] + [(["temporary"], asset) for asset in _TEMPORARY]
    kinds += [(["home", "temporary"], asset) for asset in _BOTH]
    planned = []
    for number in range(1, trials + 1):
        disks, asset = kinds[(number - 1) % len(kinds)]
        planned.append(Full(number, disks, asset.format(k=rng.randrange(1, 6))))
    return planned


def main() -> None:
    """Read the options, run, and end with status 1 unless every trial was good."""
    parser = arguments(__doc__, len(_HOME) + len(_TEMPORARY) + len(_BOTH))
    parser.add_argument("--within", type=float, default=30.0, help="seconds from the full disk to the line's end (30)")
    given = parser.parse_args()
    own_mounts()
    with work_folder(given) as folder:
        filler = Filler(folder, given.seed, given.within)
        print(f"seed {given.seed}; undisturbed: {filler.seen[-1][0]:.0f} s, {len(filler.expected)} files", flush=True)
        trials = play(plan(given.trials, random.Random(given.seed)), filler.fill_once, folder, given.at_once)
    conclude(given, "continued to the same bytes", trials)


if __name__ == "__main__":
    main()
