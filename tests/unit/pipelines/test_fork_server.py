"""The process that steps are forked from: what it loads is safe to fork, and it ends in time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipelines import fork_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every step starts a Python of its own"),
]

LOADING = """
import json, os, sys, threading, torch
asked = []
for name in ("is_available", "device_count"):
    setattr(torch.cuda, name, lambda name=name: asked.append(name))
from nrdfer.core import migrations
from pipelines import fork_server
fork_server.load("full_reproduction")
files = {os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")}
print(json.dumps({
    "missing": [name for name in (*fork_server.LATE, *fork_server.COMPUTING) if name not in sys.modules],
    "lists": len(migrations._kept),
    "of no step": [name for name in ("gradio", "nrdfer.commands.models") if name in sys.modules],
    "graph": "pipelines.definitions" in sys.modules and "nrdfer.training.loop" in sys.modules,
    "threads": [thread.name for thread in threading.enumerate()],
    "gpu": [torch.cuda.is_initialized(), asked],  # even asking would make it useless to a fork
    "files": sorted(name for name in files if name.startswith(os.environ["HOME"])),
}))
"""

RUN = """
import multiprocessing, os, sys, time
from nrdfer.core import leases
from nrdfer.core.processes import MARK, children_marked, die_with_run

def step(queue):
    die_with_run()
    less = {"torch._dynamo", "scipy.stats"} & set(sys.modules) == set()
    there = "pipelines.definitions" in sys.modules and less
    told = {"_NRDFER_JOB", "_NRDFER_UP_TO_DATE"} & set(os.environ)
    queue.put((os.getpid(), os.getppid(), os.environ[MARK], there and not told))
    time.sleep(99)

if __name__ == "__main__":
    from pipelines import fork_server
    leases.take("the-run")
    with children_marked("the-run"):
        fork_server.begin("full_reproduction", up_to_date=True)
    context = multiprocessing.get_context("forkserver")
    queue = context.Queue()
    process = context.Process(target=step, args=(queue,), daemon=True)
    process.start()
    sys.stdout.write(" ".join(map(str, queue.get())) + "\\n")
    sys.stdout.flush()
    process.join()
    sys.stdout.write(f"{process.exitcode}\\n")
    sys.stdout.flush()
    time.sleep(99)
"""


@pytest.fixture
def run(tmp_path: Path) -> subprocess.Popen[str]:
    file = tmp_path / "run.py"
    file.write_text(RUN)
    environment = {**os.environ, "NRDFER_HOME": str(tmp_path / "home")}
    return subprocess.Popen([sys.executable, str(file)], stdout=subprocess.PIPE, text=True, env=environment)


def _step_and_server(run: subprocess.Popen[str]) -> tuple[psutil.Process, psutil.Process]:
    assert run.stdout is not None
    step, server, mark = run.stdout.readline().strip().split(" ", 2)
    assert mark.startswith("the-run ")
    assert mark.endswith(" True")  # it was forked with the graph loaded, and without what only computes
    assert int(server) != run.pid
    return psutil.Process(int(step)), psutil.Process(int(server))


def test_loading_leaves_nothing_that_a_fork_must_not_find(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    done = subprocess.run([sys.executable, "-c", LOADING], env=environment, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    expected = {
        "missing": [],
        "lists": 2,
        "of no step": [],
        "graph": True,
        "threads": ["MainThread"],
        "gpu": [False, []],
        "files": [],
    }
    assert found == expected, done.stderr
    assert done.stderr == ""  # what is said there, every run would say


def test_steps_and_server_end_with_a_run_that_is_killed(run: subprocess.Popen[str]) -> None:
    both = _step_and_server(run)
    run.kill()
    run.wait()
    assert psutil.wait_procs(both, timeout=10)[1] == []


def test_the_server_outlives_a_signal_to_the_whole_group_and_steps_do_not(run: subprocess.Popen[str]) -> None:
    step, server = _step_and_server(run)
    server.send_signal(signal.SIGTERM)
    step.send_signal(signal.SIGTERM)
    assert run.stdout is not None
    assert run.stdout.readline() == f"{-signal.SIGTERM}\n"
    assert server.is_running()
    assert server.status() != psutil.STATUS_ZOMBIE
    run.kill()
    run.wait()
    assert psutil.wait_procs([server], timeout=10)[1] == []


def test_no_room_for_a_sockets_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/scratch")
    assert fork_server.obstacle() == ""
    monkeypatch.setattr("tempfile.tempdir", "/scratch/" + "of-somebody/" * 8)
    assert "set TMPDIR to one of at most 60 characters" in fork_server.obstacle()
