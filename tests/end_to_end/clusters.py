"""What the tests of both clusters share: the whole job from two login hosts, of which one dies.

What a lost host or step costs is tested on single steps (tests/unit/pipelines/test_cluster_steps.py), and on whole jobs
by ``make chaos-cluster``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from devtools import job_state
from devtools.chaos.trials import complaints_of
from devtools.namespace_host import NamespaceHost, wait_until
from devtools.tiny_project import LINE, make_project
from nrdfer.store.manifest import MANIFEST

Reproduced = tuple[Path, dict[str, str], str]
_PATIENCE = 3000.0
#: Runs the line in a folder, and leaves its exit status in a file: a host itself does not tell it.
_TYPED = 'cd "$0" && "$@"; echo $? > "$0/.status" && mv "$0/.status" "$0/status"'


class Cluster(Protocol):
    """A cluster as a test uses it."""

    @property
    def environment(self) -> dict[str, str]: ...


def run_everything(cluster: Cluster, folder: Path, untouched: Reproduced) -> None:
    """The typed line on one host, which dies amid the trainings, and again on another.

    That ends with 0 and with the bytes of one machine, does nothing again that was done, and leaves nothing behind.
    """
    environment = make_project(folder) | cluster.environment
    status = folder / "status"

    def typed_on(name: str) -> NamespaceHost:
        host = NamespaceHost(name, folder / f"{name}.log")
        host.start(["sh", "-c", _TYPED, str(folder), *LINE], environment)
        return host

    host = typed_on("login1")
    wait_until("a training is published", lambda: status.exists() or _trained(folder) != [], _PATIENCE)
    host.kill()
    assert not status.exists(), (folder / "login1.log").read_text()[-6000:]
    made = _published(folder)
    host = typed_on("login2")
    wait_until("the same line ends", status.exists, _PATIENCE)
    host.kill()
    assert status.read_text() == "0\n", (folder / "login2.log").read_text()[-6000:]
    assert len(made) > 3
    assert {path: time for path, time in _published(folder).items() if path in made} == made
    assert len(job_state.results(untouched[0])) > 20
    assert complaints_of(folder, job_state.results(untouched[0])) == []
    assert job_state.registry(folder)["trainings"] == len(_trained(folder))  # none begun twice


def _published(folder: Path) -> dict[Path, int]:
    """When each artefact was published."""
    return {path: (path / MANIFEST).stat().st_mtime_ns for path in job_state.artefacts(folder)}


def _trained(folder: Path) -> list[Path]:
    return [path for path in job_state.artefacts(folder) if "checkpoint" in path.parts]
