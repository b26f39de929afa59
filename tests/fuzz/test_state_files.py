"""Damaged state files: manifests, receipts, pointers, run logs, open runs, undelivered ones, the pages' addresses.

What is read is a result, or the file is set aside in words; none ends a start, and none leads out of its folder.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nrdfer.core.errors import TrainingError
from nrdfer.core.state_files import DAMAGED, MOST_BYTES
from nrdfer.store import MANIFEST, Artifact, Store, find_problems, is_artefact_name
from nrdfer.store.pointers import Pointers
from nrdfer.store.receipts import receipt_of, vouch, vouched
from nrdfer.tracking import pending_uploads, ui_urls
from nrdfer.tracking.log_uploader import RunFacts
from nrdfer.tracking.metric_points import Curves
from nrdfer.tracking.open_runs import PIPELINES, RUNS, OpenPipeline, OpenRun
from nrdfer.tracking.training_log import TrainingLog, read_all, repair_log
from tests.fuzz.harness import fuzz
from tests.fuzz.mutate import damaged_bytes, damaged_json, json_bytes

Make = Callable[[random.Random], bytes | str]
DIGEST = "ab" * 32
FOLDER, LINK, LOOP, PIPE, LARGE = "a folder", "a link to nowhere", "a link to itself", "a pipe", "a very large file"
ODD: list[bytes | str] = [
    FOLDER, LINK, LOOP, PIPE, LARGE, b"", b"\0" * 500, b"\xff\xfe{\0}\0", b"null", b"[]", b"0", b"NaN", b"1e999",
    b"9" * 5000, b"[" * 100_000, b'{"a":' * 50_000, b'{"a": 1}', b'"text"',
]  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    monkeypatch.setattr(os, "fsync", lambda _: None)  # what is read is looked at here, not what a power cut leaves
    return tmp_path


def of(value: Any) -> Make:
    """Makes a damaged file of JSON, or something odd in its place."""

    def make(rng: random.Random) -> bytes | str:
        kind = rng.random()
        if kind < 0.1:
            return rng.choice(ODD)
        return damaged_bytes(json_bytes(value), rng) if kind < 0.5 else damaged_json(value, rng)

    return make


def put(path: Path, content: bytes | str) -> None:
    """Let exactly this lie at a path, and nothing set aside beside it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    shutil.rmtree(path.parent / DAMAGED, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == FOLDER:
        (path / "inside").mkdir(parents=True)
    elif content == PIPE:
        os.mkfifo(path)
    elif content == LARGE:
        with path.open("wb") as file:
            file.truncate(MOST_BYTES + 1)
    else:
        path.symlink_to("nowhere" if content == LINK else path.name)


def read_or_aside(path: Path, content: bytes | str, read: Callable[[], Any]) -> None:
    """Reading gives something, or the file lies aside (unless there is nothing to move)."""
    put(path, content)
    if read() is None and content not in (LINK, LOOP):
        assert not path.exists() and len(list((path.parent / DAMAGED).iterdir())) == 1


def test_pointers(home: Path) -> None:
    store = Store(home / "store")
    made = store.build("afew/shards", code_version="1", config={}, inputs={}, build=lambda _: {})
    pointers = Pointers(store, home / "pointers")
    path = pointers.root / "afew" / "shards.json"

    def read(content: bytes | str) -> Artifact | None:
        put(path, content)
        found = pointers.get("afew/shards")  # StoreError: it names an artefact that is not there
        assert found is None or (found.asset, found.digest) == (made.asset, made.digest)
        return found

    tally = fuzz("pointers", of({"asset": made.asset, "digest": made.digest}), read)
    assert tally.results and tally.words


def test_open_runs(home: Path) -> None:
    told = dataclasses.asdict(OpenRun(uri="http://127.0.0.1:5000", status="KILLED", ended=1_700_000_000_000))

    def read(content: bytes | str) -> None:
        read_or_aside(RUNS.folder / DIGEST, content, lambda: RUNS.read(DIGEST))
        assert RUNS.abandoned().keys() <= {name for name, _ in RUNS}

    fuzz("open trainings", of(told), read)


def test_open_pipelines(home: Path) -> None:
    told = dataclasses.asdict(OpenPipeline(uri="u", run_id="r", params={"a": "1"}, started=1.5e9, status="FAILED"))

    def read(content: bytes | str) -> None:
        read_or_aside(PIPELINES.folder / "run", content, lambda: PIPELINES.read("run"))
        pending_uploads.is_anything_left()
        PIPELINES.change("run", status="FINISHED", ended=1.6e9)

    def make(rng: random.Random) -> bytes | str:
        content = of(told)(rng)
        return content if content != LOOP else LINK  # what cannot be read is left alone, and so cannot be changed

    fuzz("pipelines' runs", make, read)


def test_undelivered(home: Path) -> None:
    facts = RunFacts(DIGEST, "fd1", {"a": "b"}, {"lr": "0.1"}, "run", {"x": "1"}, [{"name": "train", "digest": "d"}])
    told = {"facts": dataclasses.asdict(facts), "uri": "u", "status": "FINISHED", "started": 1.5e9, "ended": 1.6e9}
    marker = pending_uploads.folder() / f"{DIGEST}.json"

    def read(content: bytes | str) -> None:
        put(marker, content)
        marker.with_suffix(".jsonl").write_text("log")
        waiting = pending_uploads._waiting()
        pending_uploads._remove_halves()
        pending_uploads.is_anything_left()
        if not waiting and content not in (LINK, LOOP):
            assert len(list((pending_uploads.folder() / DAMAGED).iterdir())) == 2  # with its log
        for found in waiting.values():
            assert found["facts"]["digest"] == DIGEST
            assert isinstance(found["facts"]["name"], str) and hash(found["facts"]["pipeline"]) is not None

    fuzz("undelivered trainings", of(told), read)


def test_page_addresses(home: Path) -> None:
    def read(content: bytes | str) -> None:
        put(home / "pages.json", content)
        assert all(0 < port < 65536 for port in ui_urls.remembered_ports().values())
        assert ui_urls.dagster_page().startswith("http://127.0.0.1:")

    fuzz("addresses of the pages", of({"dagster": 3000, "mlflow": 5000}), read)


def test_manifests(home: Path) -> None:
    def build(out: Path) -> dict[str, Any]:
        (out / "sub").mkdir()
        (out / "sub" / "a.bin").write_bytes(b"a" * 100)
        return {"clips": 3, "luma": 0.5}

    config = {"lr": 0.1, "layers": [1, 2], "name": "x"}
    made = Store(home).build("report", code_version="1", config=config, inputs={"x": DIGEST}, build=build)
    whole = (made.path / MANIFEST).read_bytes()
    original = json.loads(whole)
    seeds = of(original)

    def read(content: bytes | str) -> None:
        put(made.path / MANIFEST, content)
        if not find_problems(made.path, "full"):  # then it says what it said
            told = json.loads((made.path / MANIFEST).read_bytes())
            assert all(told[part] == original[part] for part in ("asset", "config", "inputs", "files", "code_version"))
            # one that lost its seal passes for an earlier version's, of which no more is known
            assert "seal" not in told or told == original

    fuzz("manifests", seeds, read)


def test_receipts(home: Path) -> None:
    (home / "a.npy").write_bytes(b"a" * 100)
    vouch(home, "a", ["a.npy"])
    told = json.loads(receipt_of(home, "a").read_bytes())

    def read(content: bytes | str) -> None:
        put(receipt_of(home, "a"), content)
        if vouched(home, "a") is not None:
            assert json.loads(receipt_of(home, "a").read_bytes()) == told

    fuzz("receipts", of(told), read)


def test_run_logs(home: Path) -> None:
    path = home / "train.jsonl"
    with TrainingLog(path, clock=lambda: 1.7e9) as log:
        log.write("start", step=0, cache="none")
        for step in range(1, 4):
            log.write("batch", step=step, epoch=1, loss=0.5, lr=0.01, clips_per_second=3.0, waiting_share=None)
            log.write("system", step=step, cpu=0.5)
        log.write("epoch", epoch=1, step=3, test_war=0.5, lr=0.01)
    lines = path.read_bytes().splitlines()
    good = b"\n".join(lines) + b"\n"

    def make(rng: random.Random) -> bytes | str:
        if rng.random() < 0.5:
            return damaged_bytes(good, rng)
        place = rng.randrange(len(lines))
        content = of(json.loads(lines[place]))(rng)
        return content if isinstance(content, str) else good.replace(lines[place], content)

    def read(content: bytes | str) -> int:
        put(path, FOLDER if content in (LARGE, LOOP) else content)
        curves = Curves()
        try:
            return sum(len(curves.points(line)) for line in read_all(path))
        except TrainingError:
            assert repair_log(path) > 0
            assert path.read_bytes().count(b"\n") + 1 >= len(read_all(path))
            raise
        finally:
            with TrainingLog(path) as log:  # a training goes on with it
                log.write("stop", reason="none")
            assert read_all(path)[-1]["reason"] == "none"

    tally = fuzz("run logs", make, read)
    assert tally.results and tally.words


def test_a_pointer_never_leads_out_of_the_store() -> None:
    assert not is_artefact_name("../outside", DIGEST)
    assert not is_artefact_name("afew/shards", "../" + DIGEST[3:])
