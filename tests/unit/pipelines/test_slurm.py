"""Steps as jobs of Slurm: what is submitted, how an end is told, how jobs are ended; programs play Slurm."""

from __future__ import annotations

import json
import logging
import math
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from nrdfer.core.errors import NrdferError
from pipelines import slurm, slurm_commands
from pipelines.cluster_steps import LOST, project_mark
from pipelines.slurm_commands import Job, SlurmError
from pipelines.step_needs import Needs
from pipelines.step_submission import PATIENCE

#: Each program writes its words and its environment, and answers with what the test has put beside it.
_PROGRAM = """#!{python}
import json, os, sys
from pathlib import Path
name = Path(sys.argv[0]).name
folder = Path(sys.argv[0]).parent
with (folder / "said.jsonl").open("a") as said:
    said.write(json.dumps([name, sys.argv[1:], dict(os.environ)]) + "\\n")
answer = folder / (name + ".answer")
status, _, text = (answer.read_text() if answer.exists() else "0 ").partition(" ")
(sys.stderr if status != "0" else sys.stdout).write(text)
sys.exit(int(status))
"""


class Played:
    """The programs, and what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def answer(self, name: str, text: str, status: int = 0) -> None:
        (self.folder / f"{name}.answer").write_text(f"{status} {text}")

    def asked(self, name: str) -> list[tuple[list[str], dict[str, str]]]:
        said = self.folder / "said.jsonl"
        lines = [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []
        return [(words, environment) for program, words, environment in lines if program == name]


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    import sys

    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("sbatch", "squeue", "scontrol", "scancel", "sacct"):
        (folder / name).write_text(_PROGRAM.format(python=sys.executable))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    played = Played(folder)
    played.answer("sbatch", "17;cluster\n")
    return played


def context_of(step: str = "dfew__fd1__checkpoint", tags: dict[str, str] | None = None) -> Any:
    args = SimpleNamespace(
        run_id="run-1",
        step_keys_to_execute=[step],
        get_command_args=lambda skip_serialized_namedtuple: ["python", "-m", "dagster", "api", "execute_step"],
        get_command_env=lambda: [{"name": "DAGSTER_COMPRESSED_EXECUTE_STEP_ARGS", "value": "packed"}],
    )
    own = SimpleNamespace(step=SimpleNamespace(key=step, pool="gpu"))
    return SimpleNamespace(execute_step_args=args, step_tags={step: tags or {}}, get_step_context=lambda key: own)


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> slurm.SlurmSteps:
    monkeypatch.setattr(slurm, "needs_of", lambda context, pool, tags: Needs(2, gpu=True))
    monkeypatch.setattr(slurm, "_LOOK", 0.0)
    event = SimpleNamespace(
        step_worker_starting=lambda context, message, metadata: message, engine_event=lambda context, message: message
    )
    monkeypatch.setattr(slurm, "DagsterEvent", event)
    return slurm.SlurmSteps()


def test_a_step_is_submitted_with_what_it_needs(
    played: Played, handler: slurm.SlurmSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(slurm.OPTIONS, "--partition=cpu --time=1:00:00")
    monkeypatch.setenv(slurm.GPU_OPTIONS, "--partition=gpu --gres=gpu:1")
    monkeypatch.setenv("PGPASSWORD", "not for the command line")
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    monkeypatch.setenv("NRDFER_RUN", "run 1:2 home")
    assert list(handler.launch_step(context_of(tags={slurm.TAG: '{"mem": "16G"}'}))) == [
        "dfew__fd1__checkpoint is Slurm's job 17"
    ]
    ((words, environment),) = played.asked("sbatch")
    assert {"--parsable", "--no-requeue", "--cpus-per-task=2", f"--chdir={Path.cwd()}"} <= set(words)
    options = [word for word in words if word.startswith(("--partition", "--gres", "--mem"))]
    assert options == ["--partition=cpu", "--partition=gpu", "--gres=gpu:1", "--mem=16G"]  # the last one counts
    assert words[-2:] == ["--wrap", "exec python -m dagster api execute_step"]
    assert not any("not for the command line" in word or "packed" in word for word in words)
    assert environment["PGPASSWORD"] and environment["DAGSTER_COMPRESSED_EXECUTE_STEP_ARGS"] == "packed"
    assert not {"SLURM_JOB_ID", "NRDFER_RUN"} & set(environment)


def test_its_output_is_readable_by_its_user_only(played: Played, handler: slurm.SlurmSteps) -> None:
    list(handler.launch_step(context_of()))
    folder = slurm.log_folder("run-1")
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    ((words, _),) = played.asked("sbatch")
    assert f"--output={folder}/dfew__fd1__checkpoint-%j.log" in words


def test_a_folder_with_a_percent_sign_is_no_pattern(
    played: Played, handler: slurm.SlurmSteps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "50%j"))
    list(handler.launch_step(context_of()))
    ((words, _),) = played.asked("sbatch")
    assert any("/50%%j/slurm/" in word for word in words)


def test_gpu_options_are_for_steps_that_use_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(slurm.GPU_OPTIONS, "--gres=gpu:1")
    assert slurm.options_of(Needs(3)) == ["--cpus-per-task=3"]
    assert slurm.options_of(Needs(8, nodes=2)) == ["--cpus-per-task=8", "--nodes=2", "--ntasks-per-node=1"]
    assert slurm.options_of(Needs(1, gpu=True)) == ["--cpus-per-task=1", "--gres=gpu:1"]


def test_settings_that_cannot_be_read_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(slurm.OPTIONS, "--comment='open")
    with pytest.raises(NrdferError, match="NRDFER_SLURM is not valid"):
        slurm.options_of(Needs())
    for tag in ("[1]", "mem=16G"):
        with pytest.raises(NrdferError, match="nrdfer/slurm is not valid"):
            slurm.tagged_options(tag)


@pytest.mark.parametrize(
    ("told", "lost", "words"),
    [
        ("JobState=NODE_FAIL Reason=NodeDown ExitCode=0:0 NodeList=n3", True, "its node n3 failed"),
        ("JobState=PREEMPTED ExitCode=0:15 NodeList=n3", True, "preempted"),
        ("JobState=FAILED Reason=RaisedSignal:9(Killed) ExitCode=0:9 NodeList=n3", True, "signal 9 (SIGKILL) on n3"),
        ("JobState=TIMEOUT ExitCode=0:15 NodeList=n3", False, "time limit; give it more with --time"),
        ("JobState=OUT_OF_MEMORY ExitCode=0:125 NodeList=n3", False, "ran out of memory; give it more with --mem"),
        ("JobState=CANCELLED ExitCode=0:15 NodeList=n3", False, "cancelled"),
        ("JobState=FAILED Reason=NonZeroExitCode ExitCode=1:0 NodeList=n3", False, "status 1 without a result"),
        ("JobState=COMPLETED ExitCode=0:0 NodeList=n3", False, "status 0 without a result"),
    ],
)
def test_an_end_without_a_result_is_told_in_words(
    told: str, lost: bool, words: str, played: Played, handler: slurm.SlurmSteps
) -> None:
    list(handler.launch_step(context_of()))
    played.answer("squeue", f"17|{told.split()[0].partition('=')[2]}||n3|job|\n")
    played.answer("scontrol", f"JobId=17 {told} Command=(null)\n")
    if "NODE_FAIL" not in told:
        assert handler.check_step_health(context_of()).is_healthy  # its last events may still be on their way
    health = handler.check_step_health(context_of())
    assert not health.is_healthy and health.unhealthy_reason is not None
    assert health.unhealthy_reason.startswith(LOST) == lost and words in health.unhealthy_reason


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "COMPLETING", "SUSPENDED"])
def test_a_job_that_waits_or_runs_is_healthy(state: str, played: Played, handler: slurm.SlurmSteps) -> None:
    list(handler.launch_step(context_of()))
    played.answer("squeue", f"17|{state}|None|n3|job|\n")
    assert all(handler.check_step_health(context_of()).is_healthy for _ in range(3))


def test_a_job_that_slurm_has_forgotten_is_asked_of_the_accounting_or_lost(
    played: Played, handler: slurm.SlurmSteps
) -> None:
    played.answer("scontrol", "slurm_load_jobs error: Invalid job id specified", 1)
    played.answer("sacct", "OUT_OF_MEMORY|0:125|n3\n")
    assert slurm_commands.ended_job("17") == Job("17", "OUT_OF_MEMORY", nodes="n3", signal=125)
    played.answer("sacct", "Slurm accounting storage is disabled", 1)
    assert slurm.end_in_words(slurm_commands.ended_job("17")).startswith(f"{LOST}Slurm no longer knows it")


def test_a_controller_that_is_away_is_no_end(played: Played, handler: slurm.SlurmSteps) -> None:
    list(handler.launch_step(context_of()))
    played.answer("squeue", "Unable to contact slurm controller", 1)
    with pytest.raises(SlurmError, match="squeue failed with status 1: Unable to contact"):
        handler.check_step_health(context_of())


def test_missing_programs_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SlurmError, match="squeue was not found"):
        slurm_commands.queue()


def test_a_step_that_is_ended_is_first_asked_to_save(
    played: Played, handler: slurm.SlurmSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "_GRACE", 0.0)
    list(handler.launch_step(context_of()))
    list(handler.terminate_step(context_of()))
    played.answer("squeue", "17|RUNNING|None|n3|job|\n")
    handler.finish()
    told = [" ".join(words) for words, _ in played.asked("scancel")]
    assert told == ["--quiet --state=PENDING 17", "--quiet --signal=TERM --batch 17", "--quiet 17"]


def test_only_jobs_of_this_projects_ended_runs_are_ended(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "_GRACE", 0.0)
    with dg.instance_for_test() as instance:
        alive = instance.create_run_for_job(dg.GraphDefinition("nothing").to_job())
        comments = [f"nrdfer/{project_mark()}/{run}" for run in (alive.run_id, "gone")]
        lines = [*comments, "nrdfer/0123456789abcdef/gone", "someone's own"]
        rows = (f"{number}|RUNNING|None|n3|job|{line}\n" for number, line in enumerate(lines, 1))
        played.answer("squeue", "".join(rows))
        slurm.end_jobs_of_ended_runs(instance, logging.getLogger("test"))
    assert {words[-1] for words, _ in played.asked("scancel")} == {"2"}


AWAY = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"
FULL = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size)"
WRONG = "sbatch: error: invalid partition specified: gpus"


def refusal(played: Played, handler: slurm.SlurmSteps, words: str) -> Exception:
    played.answer("sbatch", words, 1)
    with pytest.raises(SlurmError) as caught:
        list(handler.launch_step(context_of("other")))
    return caught.value


def test_how_long_a_step_that_is_not_taken_waits(played: Played, handler: slurm.SlurmSteps) -> None:
    assert handler.patience(refusal(played, handler, AWAY)) == PATIENCE
    assert handler.patience(refusal(played, handler, WRONG)) == handler.patience(ValueError("a defect")) == 0
    assert handler.patience(refusal(played, handler, FULL)) == 0  # nothing of this user is in the queue
    played.answer("squeue", "7|RUNNING|None|node1|another|of another run\n")
    assert handler.patience(refusal(played, handler, FULL)) == PATIENCE
    played.answer("sbatch", "17\n")
    list(handler.launch_step(context_of()))
    played.answer("squeue", "17|RUNNING|None|node1|nrdfer-x|nrdfer/p/run-1\n")
    assert handler.patience(refusal(played, handler, FULL)) == math.inf
    played.answer("squeue", "Unable to contact slurm controller", 1)
    assert handler.patience(refusal(played, handler, FULL)) == PATIENCE


def test_a_queue_that_does_not_answer_is_asked_once_for_all_steps(
    played: Played, handler: slurm.SlurmSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step, number in (("a", "17"), ("b", "18")):
        played.answer("sbatch", f"{number}\n")
        list(handler.launch_step(context_of(step)))
    monkeypatch.setattr(slurm, "_LOOK", 60.0)
    handler._looked = -60.0
    played.answer("squeue", "Unable to contact slurm controller", 1)
    for step in ("a", "b"):
        with pytest.raises(SlurmError, match="Unable to contact"):
            handler.check_step_health(context_of(step))
    assert len(played.asked("squeue")) == 1


def test_a_job_of_a_submission_without_an_answer_is_ended_with_the_run(
    played: Played, handler: slurm.SlurmSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "_GRACE", 0.0)
    refusal(played, handler, AWAY)
    list(handler.terminate_step(context_of("other")))
    played.answer("squeue", f"42|PENDING|None||nrdfer-other|{slurm._comment('run-1')}\n")
    handler.finish()
    assert played.asked("scancel")[-1][0] == ["--quiet", "42"]


def test_a_submission_that_had_come_through_after_all_is_not_made_again(
    played: Played, handler: slurm.SlurmSteps
) -> None:
    refusal(played, handler, AWAY)
    rows = [
        "41|RUNNING|None|node1|nrdfer-other|another comment",
        f"42|PENDING|None||nrdfer-other|{slurm._comment('run-1')}",
    ]
    played.answer("squeue", "\n".join(rows))
    assert list(handler.launch_step(context_of("other"))) == ["other is Slurm's job 42"]
    assert len(played.asked("sbatch")) == 1


def test_a_job_that_the_queue_hides_is_alive_if_slurm_says_so(played: Played, handler: slurm.SlurmSteps) -> None:
    list(handler.launch_step(context_of()))
    played.answer("scontrol", "JobId=17 JobState=RUNNING NodeList=node1 ExitCode=0:0")
    assert [handler.check_step_health(context_of()).is_healthy for _ in range(3)] == [True] * 3
    assert played.asked("scancel") == []
    played.answer("scontrol", "JobId=17 JobState=PREEMPTED NodeList=node1 ExitCode=0:15")
    assert str(handler.check_step_health(context_of()).unhealthy_reason).startswith(LOST + "it was preempted")
    assert played.asked("scancel")[0][0] == ["--quiet", "17"]  # nothing of it runs beside the next attempt


def test_the_queue_is_read_whole_whatever_others_write_and_users_set(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUEUE_PARTITION", "cpu")
    rows = r"5|RUNNING|None|n|\344hnlich|caf\351|x\n7|PENDING|None||job|mine\n"
    (played.folder / "squeue").write_text(f"#!/bin/sh\n[ -z \"$SQUEUE_PARTITION\" ] && printf '{rows}'\n")
    found = slurm_commands.queue()
    assert (found["7"].comment, found["7"].name, found["5"].comment) == ("mine", "job", "caf\ufffd|x")
