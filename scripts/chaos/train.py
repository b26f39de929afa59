"""Kill trainings at random moments and compare their bytes with those of an undisturbed one: ``make chaos-train``.

    python -m scripts.chaos.train [--kills 20] [--terms 10] [--seed 0] [--epochs N] [--cold] [--serve http|s3]
        [--json FILE]

Every trial runs ``nrdfer train fd1 ...`` in a fresh folder, sends it SIGKILL (``--kills``) or SIGTERM (``--terms``) at
a moment drawn from the whole duration of an undisturbed run, start of Python included, and repeats the command until
it is finished. A trial is good if weights and history have the undisturbed run's sha256 and, after SIGTERM, the process
ended by itself, with status 143 if it had begun to train. Ends with status 1 unless all are good.

With ``--serve`` the shards are read as streams, from a web server that breaks off its first answer for each shard, or
from an S3 server; both on the loopback interface. The training's own folder of shards then holds their index only.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from devtools.chaos.line import Moment, Seen, draw_moments
from devtools.own_places import json_file
from devtools.shard_servers import serve_folder, serve_s3
from nrdfer.config.profile import ShardsConfig
from nrdfer.core.own_files import write_made
from nrdfer.corpora.dfew import DFEW, read_dfew
from nrdfer.corpora.synthetic.render import CorpusSettings, render_corpus
from nrdfer.models.trained_files import BEST, HISTORY, LAST
from nrdfer.preprocessing.folds import write_folds
from nrdfer.preprocessing.picture_listing import PictureListing, list_pictures
from nrdfer.preprocessing.shards import shard_pictures

RESULT, WORK = "result.json", "work"
FILES = (LAST, BEST, HISTORY)
STOPPED = 143
_BEGINNING, _END = -1, sys.maxsize
_LOOK = 0.01  # seconds between two looks at a folder
_PATIENCE = 120.0  # seconds; a process that does not end by then after SIGTERM will not


@dataclass(frozen=True)
class Run:
    """One training's line, without its folder, and the shape of its epochs."""

    line: tuple[str, ...]
    home: Path  # with the profile as it is shipped, and an empty store
    batches: int  # of one epoch
    total: int  # of all epochs
    variables: tuple[tuple[str, str], ...] = ()  # of the environment, beside this process's

    def start(self, out: Path) -> subprocess.Popen[str]:
        """Start the line; what it says goes to a file beside its folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NRDFER_")}
        with out.with_suffix(".log").open("a") as log:
            return subprocess.Popen(  # noqa: S603
                [*self.line, "--out", str(out)],
                stdout=log,
                stderr=log,
                text=True,
                env={**kept, **dict(self.variables), "NRDFER_HOME": str(self.home)},
            )

    def finish(self, out: Path) -> Seen:
        """Run the line to its end; returns when each `mark` was first seen, and last the moment of the end."""
        began = time.monotonic()
        process, seen = self.start(out), [(0.0, self.mark(out))]
        while process.poll() is None:
            time.sleep(_LOOK)
            mark = self.mark(out)
            if mark > seen[-1][1]:
                seen.append((time.monotonic() - began, mark))
        if process.returncode != 0:
            raise SystemExit(f"the training failed:\n{out.with_suffix('.log').read_text()}")
        return [*seen, (time.monotonic() - began, seen[-1][1])]

    def mark(self, out: Path) -> int:
        """Progress of a training, read from its folder: batches of the newest checkpoint, or `_END`."""
        if (out / RESULT).exists():
            return _END
        saved = [int(path.stem.rpartition("-")[2]) for path in (out / WORK).glob("checkpoint-*.pt")]
        return max(saved, default=_BEGINNING)

    def words(self, mark: int) -> str:
        """A mark for people."""
        if mark in (_BEGINNING, _END):
            return "the beginning" if mark == _BEGINNING else "the end"
        return f"epoch {mark // self.batches + 1} batch {mark % self.batches} of {self.batches}"


@dataclass(frozen=True)
class Trial:
    """Result of one disturbed training."""

    signal: str
    after: float  # seconds
    saved: str  # newest checkpoint when the signal was sent
    resumed_from: str
    status: int  # of the disturbed process; negative: ended by that signal
    identical: bool
    ended_well: bool

    @property
    def good(self) -> bool:
        """Whether there is nothing to complain of."""
        return self.identical and self.ended_well


def make_run(folder: Path, epochs: int) -> Run:
    """Render a corpus, write its shards and folds with the steps of the graph, and compose the line."""
    root = render_corpus(folder / "corpus", CorpusSettings.tiny()) / "DFEW"
    work, listing, shards, folds = (folder / name for name in ("parts", "listing", "shards", "folds"))
    for made in (work, listing, shards, folds):
        made.mkdir()
    list_pictures(read_dfew(root), work, listing)
    shard_pictures(DFEW, PictureListing(listing), work, shards, ShardsConfig(clips_per_shard=10, image_size=64))
    counts = write_folds(DFEW, PictureListing(listing).folds, shards, folds)
    batch = 4
    recipe = {"epochs": epochs, "batch": batch, "lr": 0.02}
    engine = {"device": "cpu", "threads": 1, "workers": 1, "checkpoint_every_batches": 1}
    network = {"image_size": 64, "widths": [8, 8, 16], "temporal_mlp": 32, "spatial_mlp": 16, "dropout": 0.1}
    line = [sys.executable, "-m", "nrdfer.cli", "train", "fd1", "--no-track"]
    line += ["--profile", "sample", "--recipe", "dfew-paper"]
    line += ["--shards", str(shards), "--folds", str(folds)]
    for option, fields in (("--set", recipe), ("--engine", engine), ("--model-set", network)):
        for name, value in fields.items():
            line += [option, f"{name}={json.dumps(value)}"]
    batches = -(-counts["folds"]["1"]["train"] // batch)
    return Run(tuple(line), folder / "home", batches, epochs * batches)


@contextlib.contextmanager
def streamed(run: Run, kind: str, folder: Path) -> Iterator[Run]:
    """The run with its shards moved to a server of `kind`, and read from there."""
    served = folder / "served"
    served.mkdir()
    for path in sorted((folder / "shards").glob("*.tar")):
        path.rename(served / path.name)
    with contextlib.ExitStack() as stack:
        variables: dict[str, str] = {}
        if kind == "http":
            server = stack.enter_context(serve_folder(served))
            server.faults = {path.name: [("cut", path.stat().st_size // 2)] for path in served.glob("*.tar")}
            source = server.address
        else:
            source, variables = stack.enter_context(serve_s3(served))
        line = [*run.line, "--data", "reader=stream", "--data", f"source={source}", "--data", "streams=2"]
        yield replace(run, line=(*line, "--data", "buffer=16"), variables=tuple(variables.items()))


def digests(out: Path) -> dict[str, str]:
    """sha256 of what a training leaves."""
    return {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in FILES}


def disturb(run: Run, out: Path, kind: signal.Signals, moment: Moment, whole: dict[str, str]) -> Trial:
    """One trial."""
    mark, wait = moment
    began = time.monotonic()
    process = run.start(out)
    while process.poll() is None and run.mark(out) < mark:
        time.sleep(_LOOK)
    try:
        process.wait(timeout=wait)
    except subprocess.TimeoutExpired:
        saved, after = run.mark(out), time.monotonic() - began
        process.send_signal(kind)
    else:  # it was faster than the undisturbed run: once more, earlier
        if process.returncode != 0:
            raise SystemExit(f"the training failed:\n{out.with_suffix('.log').read_text()}")
        return disturb(run, out.with_name(f"{out.name}-again"), kind, (mark, wait / 2), whole)
    try:
        status = process.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    resumed = run.mark(out)
    run.finish(out)
    identical = digests(out) == whole
    # before the first batch, and after the last, a process may end as any does
    allowed = {STOPPED} if saved > _BEGINNING and resumed < run.total else {STOPPED, 0, -kind}
    by_itself = status in allowed if kind == signal.SIGTERM else status == -kind
    return Trial(kind.name, round(after, 2), run.words(saved), run.words(resumed), status, identical, by_itself)


def chaos(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The undisturbed run and all trials; prints one line each."""
    run = make_run(folder, given.epochs)
    if given.serve is None:
        return trials_of(given, run, folder)
    with streamed(run, given.serve, folder) as other:
        return trials_of(given, other, folder)


def trials_of(given: argparse.Namespace, run: Run, folder: Path) -> dict[str, Any]:
    """See `chaos`."""
    if not given.cold:
        run.finish(folder / "warm")  # Python's caches are filled, so that the next is as fast as those that follow
    seen = run.finish(folder / "undisturbed")
    whole = digests(folder / "undisturbed")
    if not given.cold and digests(folder / "warm") != whole:
        raise SystemExit("two undisturbed runs differ: nothing can be compared with them")
    duration, first = seen[-1][0], seen[1][0]
    print(
        f"undisturbed: {duration:.1f} s, of which {first:.1f} s before the first checkpoint; "
        f"{given.epochs} epochs of {run.batches} batches"
    )
    rng = random.Random(given.seed)
    plan = [
        (kind, number, times, moment)
        for kind, times in ((signal.SIGKILL, given.kills), (signal.SIGTERM, given.terms))
        for number, moment in enumerate(draw_moments(seen, times, rng), start=1)
    ]
    trials = []
    with ThreadPoolExecutor(given.at_once) as pool:
        pending = [
            pool.submit(disturb, run, folder / f"{kind.name}-{number}", kind, moment, whole)
            for kind, number, _, moment in plan
        ]
        for (kind, number, times, _), future in zip(plan, pending, strict=True):
            trial = future.result()
            trials.append(trial)
            print(
                f"{kind.name} {number} of {times}: after {trial.after:.2f} s, saved was {trial.saved}; ended with "
                f"{trial.status}, resumed from {trial.resumed_from}: {'identical' if trial.identical else 'DIFFERENT'}"
                f"{'' if trial.ended_well else ', but it did not end as it should'}",
                flush=True,
            )
    for kind, times in (("SIGKILL", given.kills), ("SIGTERM", given.terms)):
        print(f"{kind}: {sum(trial.good for trial in trials if trial.signal == kind)} of {times}")
    print(f"identical: {sum(trial.good for trial in trials)} of {len(trials)}")
    return {
        "seed": given.seed,
        "served": given.serve,
        "epochs": given.epochs,
        "batches": run.batches,
        "undisturbed_seconds": round(duration, 2),
        "sha256": whole,
        "trials": [asdict(trial) for trial in trials],
        "good": sum(trial.good for trial in trials),
    }


def main() -> None:
    """Read the options, run, and end with status 1 unless every trial was good."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="trials with SIGKILL")
    parser.add_argument("--terms", type=int, default=10, help="trials with SIGTERM")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--epochs", type=int, default=20, help="of the training; enough to outlast Python's start")
    parser.add_argument("--cold", action="store_true", help="without a first run that fills caches: for few trials")
    parser.add_argument("--at-once", type=int, default=min(2, os.cpu_count() or 1), help="trials side by side")
    parser.add_argument("--serve", choices=("http", "s3"), help="read the shards as streams, from such a server")
    parser.add_argument("--json", type=json_file, help="file to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-train-") as folder:
        told = chaos(given, Path(folder))
    if given.json:
        write_made(given.json, json.dumps(told, indent=1).encode())
    if told["good"] != len(told["trials"]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
