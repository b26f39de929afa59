"""A job whose step is killed, or whose disk is full, ends with what stopped it, in words, as the last thing it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob

from pipelines.engines import local_executor
from tests.conftest import PROJECT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="signals and a full disk are played as Linux has them"),
]

_JOB = """
import errno, os, signal
from pathlib import Path
import dagster as dg
from pipelines.engines import local_executor

@dg.asset
def checkpoint() -> None:
    if os.environ["ENDS"] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    Path(os.environ["FULL"]).touch()
    raise OSError(errno.ENOSPC, "No space left on device")

one_step = dg.define_asset_job(
    "one_step", executor_def=local_executor, config={"execution": {"config": {"start_method": {"spawn": {}}}}}
)
defs = dg.Definitions(assets=[checkpoint], jobs=[one_step])
"""
# what lies below $DISK cannot be written once the file $FULL is there, and the disk has no room then
_LIBRARY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int full(const char *path) {
    return access(getenv("FULL"), F_OK) == 0 && strncmp(path, getenv("DISK"), strlen(getenv("DISK"))) == 0;
}

static int refused(int file) {
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!full(path)) return 0;
    errno = ENOSPC;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int f, const void *p, size_t n) { return refused(f) ? -1 : REAL(write)(f, p, n); }
ssize_t pwrite(int f, const void *p, size_t n, off_t at) { return refused(f) ? -1 : REAL(pwrite)(f, p, n, at); }
ssize_t pwrite64(int f, const void *p, size_t n, off64_t at) { return refused(f) ? -1 : REAL(pwrite64)(f, p, n, at); }

int statvfs(const char *path, struct statvfs *found) {
    int failed = REAL(statvfs)(path, found);
    if (!failed && full(path)) found->f_bavail = found->f_bfree = 0;
    return failed;
}
"""


def last_words(tmp_path: Path, database: Path, **environment: str) -> str:
    """Run the job; what it says from the summary on, or else everything."""
    (tmp_path / "job.py").write_text(_JOB)
    disk = tmp_path / "disk"
    (disk / "dagster").mkdir(parents=True)
    (disk / "dagster" / "dagster.yaml").touch()
    (disk / "home").mkdir()
    shutil.copy(database, disk / "home" / "mlflow.db")
    kept = {name: value for name, value in os.environ.items() if name != "DAGSTER_MODULE_NAME"}  # an activated shell's
    places = {"DAGSTER_HOME": str(disk / "dagster"), "NRDFER_HOME": str(disk / "home"), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "job", "execute", "-f", "job.py", "-j", "one_step"],
        cwd=tmp_path,
        env=kept | places | environment,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 1, done.stderr[-3000:]
    _, begin, rest = done.stderr.rpartition("what stopped this run:\n")
    return begin + rest


def test_a_step_that_was_killed_is_told_with_its_signal_and_what_to_lower(tmp_path: Path, fresh_database: Path) -> None:
    told = last_words(tmp_path, fresh_database, ENDS="killed")
    reason = next(line for line in told.splitlines() if line.startswith("  checkpoint: "))
    assert "signal 9 (SIGKILL)" in reason and "memory ran out" in reason and "lower" in reason, reason


def test_a_full_disk_under_dagsters_database_ends_the_job_with_a_summary(tmp_path: Path, fresh_database: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("a full disk is played by a library that a C compiler must make")
    (tmp_path / "full.c").write_text(_LIBRARY)
    library = tmp_path / "full.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "full.c", "-ldl"], check=True)
    played = {"LD_PRELOAD": str(library), "DISK": str(tmp_path / "disk"), "FULL": str(tmp_path / "full")}
    told = last_words(tmp_path, fresh_database, ENDS="full", **played)
    assert told.startswith("what stopped this run:\n"), told[-3000:]
    assert f"no room on the disk of {tmp_path / 'disk'}" in told


FORKED = {"forkserver": {"preload_modules": ["pipelines.fork_server"]}}


@pytest.mark.parametrize(
    ("obstacle", "chosen", "start"),
    [
        ("", None, FORKED),
        ("no room for a socket's name", None, {"spawn": {}}),
        ("", {"forkserver": {"preload_modules": ["json"]}}, FORKED),
        ("", {"spawn": {}}, {"spawn": {}}),
    ],
)
def test_steps_are_forked_from_the_projects_process_unless_it_cannot_be_or_spawn_is_chosen(
    obstacle: str, chosen: dict[str, object] | None, start: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.fork_server.obstacle", lambda: obstacle)
    given: list[dg.InitExecutorContext] = []
    made_by_dagster = dg.multiprocess_executor.executor_creation_fn
    assert made_by_dagster is not None

    def make(context: dg.InitExecutorContext) -> dg.Executor:
        given.append(context)
        return made_by_dagster(context)

    monkeypatch.setattr(dg, "multiprocess_executor", dg.ExecutorDefinition("recorded", executor_creation_fn=make))
    config: dict[str, object] = {"max_concurrent": 3, "retries": {"disabled": {}}}
    job = InMemoryJob(dg.GraphDefinition("nothing").to_job())
    with dg.instance_for_test() as instance:
        context = dg.InitExecutorContext(
            job, local_executor, config if chosen is None else config | {"start_method": chosen}, instance
        )
        assert local_executor.executor_creation_fn is not None
        executor = local_executor.executor_creation_fn(context)
    assert [context.executor_config for context in given] == [config | {"start_method": start}]
    assert executor.retries.disabled


def test_it_takes_the_settings_of_dagsters_own() -> None:
    ours, dagsters = (executor.config_schema.as_field() for executor in (local_executor, dg.multiprocess_executor))
    assert ours.config_type.key == dagsters.config_type.key
