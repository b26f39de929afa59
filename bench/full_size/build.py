"""Build of a corpus's listing, shards and folds from one tree in one store, as the graph's steps make them.

`stages` is the work and runs in a process of its own; `Build` starts that process, follows its marks, measures the
memory of it and all its workers, and can kill them all. The moments of kills belong to `kills`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from nrdfer.config.profile import ShardsConfig
from nrdfer.corpora.base import Corpus
from nrdfer.preprocessing import corpus_listing
from nrdfer.preprocessing import shards as shard
from nrdfer.preprocessing.folds import write_folds
from nrdfer.preprocessing.picture_listing import PictureListing, list_pictures
from nrdfer.store import MANIFEST, Artifact, Store, file_sha256

PROJECT = Path(__file__).resolve().parents[2]
Mark = tuple[int, int]  # stage and how far it is
#: Stages as marks number them; how far a stage is comes from its own progress.
READING, LISTING, SHARDS, FOLDS, END = range(5)
STARTED: Mark = (-1, 0)  # the process is there, and imports
_EVERY = 0.25  # seconds between two looks at memory


def stages(
    corpus: Corpus, root: Path, store_root: Path, workers: int, config: ShardsConfig, tell: Callable[[str], None]
) -> None:
    """Do the work of a corpus's assets clips, shards and folds; marks and the result go to `tell` as JSON."""

    def mark(stage: int) -> Callable[[int, int], None]:
        return lambda done, _: tell(json.dumps({"mark": [stage, done]}))

    store, seconds = Store(store_root), {}
    began = time.monotonic()
    mark(READING)(0, 0)
    clips = _list(corpus, store, root, workers, mark(LISTING))
    content = clips.manifest["counts"]["content_digest"]
    seconds["listing"], began = time.monotonic() - began, time.monotonic()
    mark(SHARDS)(0, 0)
    shards = store.build_resumable(
        corpus.asset("shards"),
        code_version="2",
        config=dataclasses.asdict(config),
        inputs={"clips": content},
        build=lambda work, out: shard.shard_pictures(
            corpus, PictureListing(clips.path), work, out, config, workers=workers, progress=mark(SHARDS)
        ),
    )
    seconds["shards"], began = time.monotonic() - began, time.monotonic()
    mark(FOLDS)(0, 0)
    folds = store.build(
        corpus.asset("folds"),
        code_version="2",
        config={},
        inputs={"clips": content, "shards": shards.digest},
        build=lambda out: write_folds(corpus, PictureListing(clips.path).folds, shards.path, out),
    )
    seconds["folds"] = time.monotonic() - began
    mark(END)(0, 0)
    counts = {**shards.manifest["counts"], **folds.manifest["counts"]}
    tell(json.dumps({"result": {"seconds": {k: round(v, 2) for k, v in seconds.items()}, "counts": counts}}))


def _list(corpus: Corpus, store: Store, root: Path, workers: int, progress: Callable[[int, int], None]) -> Artifact:
    contents = corpus.read(root)
    return store.build_resumable(
        corpus.asset("clips"),
        code_version="2",
        config={},
        inputs=corpus_listing.listing_inputs(root, contents),
        build=lambda work, out: list_pictures(contents, work, out, workers=workers, progress=progress),
    )


class Build:
    """One run of `stages` in a process group of its own."""

    def __init__(self, line: list[str]) -> None:
        self.marks: list[tuple[float, Mark]] = [(0.0, STARTED)]  # seconds since the start, and the mark
        self.result: dict[str, Any] | None = None
        self.peak = {"rss": 0, "pss": 0}
        self._began = time.monotonic()
        # the line is this bench's own, a module of this checkout
        self._process = subprocess.Popen(  # noqa: S603
            line, cwd=PROJECT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._listen, self._watch)]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process, which is also its group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def reached(self, mark: Mark) -> bool:
        """Whether the build is at least as far as `mark`."""
        return any(there >= mark for _, there in self.marks)

    def kill(self) -> bool:
        """Kill the whole group with SIGKILL; False if the build had ended by itself."""
        killed = self.running
        if killed:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        return killed

    def finish(self) -> dict[str, Any]:
        """Wait for the end; returns the result."""
        code = self._process.wait()
        for thread in self._threads:
            thread.join()
        if code or self.result is None:
            raise SystemExit(f"the build ended with exit status {code}; its errors are above")
        return self.result

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line) if line.endswith("\n") else {}  # the last line of a killed process may be cut
            if "mark" in told:
                self.marks.append((time.monotonic() - self._began, tuple(told["mark"])))
                print(f"\r{time.monotonic() - self._began:7.1f} s {told['mark']}   ", end="", file=sys.stderr)
            self.result = told.get("result", self.result)

    def _watch(self) -> None:
        root = psutil.Process(self.pid)
        while self.running:
            rss = pss = 0
            try:
                for process in (root, *root.children(recursive=True)):
                    try:
                        memory = process.memory_full_info()
                    except (psutil.NoSuchProcess, psutil.AccessDenied):
                        continue
                    rss, pss = rss + memory.rss, pss + getattr(memory, "pss", memory.uss)
            except psutil.NoSuchProcess:
                return
            self.peak = {"rss": max(self.peak["rss"], rss), "pss": max(self.peak["pss"], pss)}
            time.sleep(_EVERY)


def _assets(corpus: Corpus) -> list[str]:
    return [corpus.asset(step) for step in ("clips", "shards", "folds")]


def digest_store(root: Path, corpus: Corpus) -> str:
    """sha256 over every published file of the three assets (manifests, which hold times, left out)."""
    total = hashlib.sha256()
    for asset in _assets(corpus):
        files = sorted(path for path in (root / asset).glob("[0-9a-f]*/*") if path.name != MANIFEST)
        if not files:
            raise SystemExit(f"{root} holds no {asset}; build first")
        for path in files:
            total.update(f"{asset}/{path.name} {file_sha256(path)}\n".encode())
    return total.hexdigest()


def visible_problems(root: Path, corpus: Corpus) -> list[str]:
    """What is published, by name, and is not whole."""
    store, problems = Store(root), []
    for asset in _assets(corpus):
        there = [path for path in (root / asset).glob("[0-9a-f]*") if path.is_dir()]
        whole = {artifact.path for artifact in store.find(asset)}
        problems += [f"{path} is visible and not whole" for path in there if path not in whole]
    return problems
