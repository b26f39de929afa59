"""What of a job is run, and where its output goes; whole runs: tests/unit/test_wheel.py and tests/end_to_end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from nrdfer.core.errors import NrdferError
from pipelines.commands.run import run_job
from pipelines.dagster_internals import capture_interrupts
from pipelines.definitions import defs
from pipelines.job_execution import _hangup_too, _logged, select
from pipelines.job_parts import from_scratch, without_dfew


@pytest.fixture(scope="module")
def job() -> dg.JobDefinition:
    return defs.resolve_job_def("full_reproduction")


def names(keys: list[dg.AssetKey]) -> set[str]:
    return {key.to_user_string() for key in keys}


def test_a_fold_is_run_with_what_it_needs(job: dg.JobDefinition) -> None:
    assert names(select(job, "fd3")) == {
        "dfew/clips", "dfew/shards", "dfew/folds", "dfew/fd3/checkpoint", "dfew/fd3/evaluation", "report"
    }  # fmt: skip
    assert names(select(job, "shards")) == {
        "afew/videos", "afew/aligned_faces", "afew/enhanced_faces", "afew/shards", "dfew/clips", "dfew/shards"
    }  # fmt: skip  # no evaluation, so no report


def test_a_corpus_is_run_with_what_it_needs(job: dg.JobDefinition) -> None:
    dfew, afew = names(select(job, "dfew")), names(select(job, "afew"))
    assert {"dfew/cross_validation", "dfew/fd5/evaluation"} <= dfew and not any(k.startswith("afew") for k in dfew)
    assert {"afew/videos", "afew/evaluation", "dfew/fd1/checkpoint"} <= afew and "dfew/fd2/checkpoint" not in afew


def test_afew_from_scratch_needs_nothing_of_dfew(job: dg.JobDefinition) -> None:
    alone = names(select(job, "afew", {"afew"}))
    assert "afew/evaluation" in alone and "report" in alone and not any(key.startswith("dfew") for key in alone)


@pytest.mark.parametrize(
    ("name", "with_it", "without"),
    [
        ("dfew_reproduction", "dfew/cross_validation", "afew/videos"),
        ("dfew_fd3", "dfew/fd3/evaluation", "dfew/fd1/checkpoint"),
        ("afew_reproduction", "dfew/fd1/checkpoint", "dfew/fd2/checkpoint"),
        ("afew_from_scratch", "afew/evaluation", "dfew/clips"),
    ],
)
def test_jobs_of_a_part_end_with_the_report(name: str, with_it: str, without: str) -> None:
    made = names(list(defs.resolve_job_def(name).asset_layer.selected_asset_keys))
    assert {"report", with_it} <= made and without not in made


def test_afew_alone_is_trained_from_scratch_where_no_dfew_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"resources": {"workbench": {"config": {"profile": "paper", "overrides": {"workers": 1}}}}}
    changed = without_dfew(config, "afew")
    assert changed is not None
    overrides = changed["resources"]["workbench"]["config"]["overrides"]
    assert overrides == {"workers": 1, "initial": {"afew": "none"}} and from_scratch(changed) == {"afew"}
    assert config["resources"]["workbench"]["config"]["overrides"] == {"workers": 1}
    assert without_dfew(changed, "afew") is None and without_dfew(config, "dfew") is None
    config["resources"]["workbench"]["config"]["dfew_root"] = str(tmp_path)
    assert without_dfew(config, "afew") is None
    config["resources"]["workbench"]["config"] |= {"profile": "quick", "dfew_root": ""}
    assert without_dfew(config, "afew") is None  # it renders its own


def test_what_the_job_does_not_make_is_refused_with_names(job: dg.JobDefinition) -> None:
    with pytest.raises(NrdferError, match=r"--only 'fd9': full_reproduction makes nothing of that name; try .*fd5"):
        select(job, "fd9")


def test_the_log_has_everything_unless_the_config_says_otherwise(job: dg.JobDefinition) -> None:
    config = _logged(job.run_config or {})
    assert config["loggers"] == {"console": {"config": {"log_level": "DEBUG"}}}
    assert config["resources"] == (job.run_config or {})["resources"]
    assert dg.validate_run_config(job, config)["loggers"]["console"]["config"]["log_level"] == "DEBUG"
    mine = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    assert _logged(mine) == mine


OUTPUT = """
import os, subprocess, sys
from pathlib import Path
from pipelines.job_execution import output_in
print("before")
with output_in(Path("log")) as write:
    print("python"); print("wrong", file=sys.stderr)
    subprocess.run(["sh", "-c", "echo child"])
    write("for a person")
print("after")
"""


def test_output_of_a_run_goes_into_its_log(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    done = subprocess.run([sys.executable, "-c", OUTPUT], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "before\nfor a person\nafter\n"
    assert sorted((tmp_path / "log").read_text().splitlines()) == ["child", "python", "wrong"]


def test_a_job_that_is_not_there_is_refused_before_a_log_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    with pytest.raises(NrdferError, match=r"there is no job 'nothing'; known are .*full_reproduction"):
        run_job("nothing", only=None, config=None)
    assert list(tmp_path.iterdir()) == []


def test_a_closed_terminal_stops_a_run_and_nohup_does_not() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with capture_interrupts(), _hangup_too():
        assert signal.getsignal(signal.SIGHUP) == signal.getsignal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGHUP) == before
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with capture_interrupts(), _hangup_too():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


UNREAD = """
import sys, time
from pipelines.commands.run import read_or_not
import typer
print("first", flush=True)
sys.stdin.readline()
with read_or_not():
    typer.echo("nobody reads this")
typer.echo("nor this")
sys.exit(7)
"""


def test_the_status_is_the_runs_where_nobody_reads_its_end() -> None:
    line = [sys.executable, "-c", UNREAD]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stdin and process.stderr
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b"\n")
        process.stdin.close()
        assert (process.wait(), process.stderr.read()) == (7, b"")
