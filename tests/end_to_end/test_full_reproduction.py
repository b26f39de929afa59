"""The whole graph on a tiny corpus, through the exact command line; then again; then killed in the middle."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from devtools.dagster_history import metadata_of_last, runs, said
from devtools.job_state import held_slots, left_files, mlflow_runs
from devtools.tiny_project import LINE, PROJECT, execute, make_project, use_data_of


def results(folder: Path) -> dict[str, object]:
    (path,) = (folder / ".nrdfer" / "store" / "report").glob("*/results.json")
    found: dict[str, object] = json.loads(path.read_text())
    return found


def test_every_fold_and_both_protocols_are_reported(reproduced: tuple[Path, dict[str, str], str]) -> None:
    found = results(reproduced[0])
    folds = found["folds"]
    assert isinstance(folds, dict) and sorted(folds) == ["fd1", "fd2", "fd3", "fd4", "fd5"]
    for metrics in [*folds.values(), found["afew"]]:
        assert isinstance(metrics, dict)
        assert metrics["honest"]["clips"] == metrics["paper"]["clips"] == 7
        assert metrics["paper"]["war"] >= metrics["honest"]["war"]


def test_every_check_was_made_and_passed(reproduced: tuple[Path, dict[str, str], str]) -> None:
    for asset, check in (
        ("afew/aligned_faces", "faces_are_found"),
        ("afew/shards", "nothing_is_lost"),
        ("afew/shards", "shards_are_intact"),
        ("dfew/shards", "shards_are_intact"),
        ("dfew/folds", "nothing_is_lost"),
        ("dfew/folds", "folds_are_disjoint"),
    ):
        assert f"Asset check '{check}' on '{asset}' passed" in reproduced[2]


def test_each_corpus_has_its_quality_page(reproduced: tuple[Path, dict[str, str], str]) -> None:
    for asset, clips in (("afew/enhanced_faces", 14), ("dfew/folds", 35)):
        (page,) = (reproduced[0] / ".nrdfer" / "store" / asset).glob("*/quality.html")
        numbers = json.loads(page.with_name("quality.json").read_text())
        assert numbers["summary"]["clips"] == len(numbers["clips"]) == clips
        text = page.read_text()
        assert all(row["clip_id"] in text for row in numbers["clips"])
        assert page.with_name("quality.png").is_file()


def test_history_of_the_command_line_is_kept(reproduced: tuple[Path, dict[str, str], str]) -> None:
    assert next(status for _, status in runs(reproduced[0])) == "SUCCESS"


def test_models_are_registered_with_their_lineage(reproduced: tuple[Path, dict[str, str], str]) -> None:
    folder, environment, _ = reproduced
    code = """
import json, numpy as np
from nrdfer.tracking.client import Tracking
client = Tracking().client
versions = client.search_model_versions("name = 'nr-dfernet-dfew'")
aliases = client.get_registered_model("nr-dfernet-dfew").aliases
import mlflow
model = mlflow.pyfunc.load_model("models:/nr-dfernet-dfew@champion")
clip = np.random.default_rng(0).random((2, 16, 3, 112, 112), dtype=np.float32)
rows = model.predict(clip)
runs = client.search_runs([Tracking().experiment_id])
print(json.dumps({
    "aliases": aliases,
    "tags": [dict(v.tags) for v in versions],
    "emotions": rows["emotion"].tolist(),
    "sums": rows.filter(like="probability_").sum(axis=1).tolist(),
    "status": sorted({run.info.status for run in runs}),
    "parents": sorted({run.data.tags.get("nrdfer.role") for run in runs}),
}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["aliases"]) == {"fd1", "fd2", "fd3", "fd4", "fd5", "champion"}
    run_ids = {run_id for run_id, _ in runs(folder)}
    for tags in found["tags"]:
        assert tags["dagster.run_id"] in run_ids
        assert len(tags["nrdfer.config_digest"]) == 64
        assert (folder / ".nrdfer" / "store" / "dfew" / "shards" / tags["nrdfer.data_digest"]).is_dir()
    assert all(abs(total - 1) < 1e-5 for total in found["sums"])
    assert found["status"] == ["FINISHED"]
    assert found["parents"] == ["pipeline", "training"]


def test_every_materialisation_leads_to_mlflow(reproduced: tuple[Path, dict[str, str], str]) -> None:
    folder, _, _ = reproduced
    shown = metadata_of_last(folder)
    assert len(shown) >= 20
    assert [name for name, metadata in shown.items() if "source" not in metadata] == []
    with sqlite3.connect(f"{(folder / '.nrdfer' / 'mlflow.db').as_uri()}?mode=ro", uri=True) as database:
        known = {run_id for (run_id,) in database.execute("select run_uuid from runs")}
        of_pipeline = "run_uuid in (select run_uuid from tags where key = 'nrdfer.role' and value = 'pipeline')"
        params = dict(database.execute(f"select key, value from params where {of_pipeline}"))  # noqa: S608
    assert (params["name"], params["dfew_recipe.epochs"], params["engine.device"]) == ("tiny", "2", "cpu")
    links = {name: str(metadata.get("mlflow_run", {}).get("url")) for name, metadata in shown.items()}
    assert {name: link for name, link in links.items() if link.rpartition("/")[2] not in known} == {}


def test_the_same_line_again_finds_everything_up_to_date(
    reproduced: tuple[Path, dict[str, str], str],
) -> None:
    folder, environment, _ = reproduced
    shutil.copy(PROJECT / "dagster.yaml", folder)  # as it is shipped, with a quiet console
    done = execute(folder, environment)
    assert done.returncode == 0, done.stderr[-4000:]
    heavy = ["afew/aligned_faces", "afew/enhanced_faces", "afew/shards", "dfew/shards", "afew/checkpoint"]
    heavy += [f"dfew/fd{k}/{what}" for k in range(1, 6) for what in ("checkpoint", "evaluation")]
    told = said(folder)
    assert [name for name in heavy if f"{name} was up to date" not in told] == []
    assert "computed and published" not in told
    printed = [*done.stderr.splitlines(), *done.stdout.splitlines()]
    assert len(printed) <= 60, done.stderr + done.stdout
    assert not any(" DEBUG " in line or " INFO " in line or "temporary" in line for line in printed)
    ended = [words[2] for words in map(str.split, printed) if words[1:2] == ["done"]]
    assert {"dfew/fd5/evaluation", "afew/aligned_faces", "report"} <= set(ended)
    assert "steps done, " in done.stderr and "DFEW mean of folds" in done.stdout


def test_killed_in_the_middle_of_a_fold_the_same_line_finishes(
    reproduced: tuple[Path, dict[str, str], str], tmp_path: Path
) -> None:
    source, _, _ = reproduced
    folder = tmp_path / "project"
    environment = make_project(folder, epochs=8)
    use_data_of(source, folder)
    process = subprocess.Popen(LINE, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    store = folder / ".nrdfer" / "store"
    deadline = time.monotonic() + 400
    # Wait until one fold is finished and another one has a checkpoint.
    while time.monotonic() < deadline:
        finished = list(store.glob("dfew/fd*/checkpoint/[0-9a-f]*/MANIFEST.json"))
        begun = list(store.glob(".work/dfew/fd*/checkpoint/*/checkpoint-*.pt"))
        if finished and begun:
            break
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    else:
        pytest.fail("no fold was trained in time")
    steps = psutil.Process(process.pid).children(recursive=True)
    assert steps
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, orphans = psutil.wait_procs(steps, timeout=60)
    assert orphans == []
    before = {path: path.stat().st_mtime_ns for path in finished}
    _stop_in_the_middle_of_a_fold(folder, environment)
    done = execute(folder, environment)
    assert done.returncode == 0, done.stderr[-6000:]
    for path, changed in before.items():
        assert path.stat().st_mtime_ns == changed
        fold = path.parts[-4]
        assert f"dfew/{fold}/checkpoint was up to date" in done.stderr
    # to Dagster, a run that is ended from the shell has failed; one that is ended in the UI, it calls canceled
    history = runs(folder)
    assert [status for _, status in history] == ["FAILURE", "FAILURE", "SUCCESS"]
    assert held_slots(folder) == 0
    in_mlflow = mlflow_runs(folder)
    pipelines = {run_id: status for _, status, role, run_id in in_mlflow if role == "pipeline"}
    assert [pipelines[run_id] for run_id, _ in history] == ["FAILED", "KILLED", "FINISHED"]
    assert {status for _, status, role, _ in in_mlflow if role == "training"} == {"FINISHED"}
    assert left_files(folder) == []


def _stop_in_the_middle_of_a_fold(folder: Path, environment: dict[str, str]) -> None:
    """Type the line, and end it with SIGTERM as soon as a fold goes on: it saves, and leaves no process."""
    begun = time.time()

    def told(kind: str) -> list[dict[str, object]]:
        logs = (folder / ".nrdfer" / "store" / ".work").glob("dfew/fd*/checkpoint/*/train.jsonl")
        lines = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
        return [line for line in lines if line["kind"] == kind and line["time"] > begun]

    with (folder / "stopped.log").open("wb") as log:
        process = subprocess.Popen(LINE, cwd=folder, env=environment, stdout=log, stderr=log)
    deadline = time.monotonic() + 200
    while not told("batch") and time.monotonic() < deadline:
        assert process.poll() is None, (folder / "stopped.log").read_text()[-4000:]
        time.sleep(0.02)
    steps = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=120)
    _, orphans = psutil.wait_procs(steps, timeout=60)
    assert orphans == []
    assert told("stop"), (folder / "stopped.log").read_text()[-4000:]
