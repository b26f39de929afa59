"""What the tests of both clusters share: the whole job, and the bytes of one machine.

What a lost host or step costs is tested on single steps (tests/unit/pipelines/test_cluster_steps.py), and on whole jobs
by ``make chaos-cluster``.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol

from devtools import job_state
from devtools.chaos.trials import complaints_of
from devtools.tiny_project import LINE, make_project

Reproduced = tuple[Path, dict[str, str], str]


class Cluster(Protocol):
    """A cluster as a test uses it."""

    @property
    def environment(self) -> dict[str, str]: ...


def run_everything(cluster: Cluster, folder: Path, reproduced: Reproduced) -> None:
    """The typed line, from nothing: it ends with 0, with the bytes of one machine, and leaves nothing behind."""
    environment = make_project(folder) | cluster.environment
    done = subprocess.run(LINE, cwd=folder, env=environment, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stderr[-6000:]
    assert len(job_state.results(reproduced[0])) > 20
    assert complaints_of(folder, job_state.results(reproduced[0])) == []
