"""A host on this machine has its own name and process table, and a kill leaves none of its processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from devtools.namespace_host import NamespaceHost, free_ports, obstacle, wait_until
from tests.conftest import PROJECT

pytestmark = pytest.mark.skipif(obstacle() != "", reason=obstacle())

_SAYS = (
    'hostname > "$1/name"; echo $$ > "$1/number"; getent hosts "$(hostname)" > "$1/address"; sleep 1000 & sleep 1000'
)


def test_it_has_a_name_and_numbers_of_its_own_and_a_kill_ends_all(tmp_path: Path) -> None:
    host = NamespaceHost("node7", tmp_path / "node7.log")
    host.start(["sh", "-c", _SAYS, "says", str(tmp_path)], os.environ)
    try:
        wait_until("both sleep", lambda: sum(process.name() == "sleep" for process in host.processes()) == 2, 60)
        assert (tmp_path / "name").read_text().strip() == "node7" != socket.gethostname()
        assert int((tmp_path / "number").read_text()) < 20
        assert (tmp_path / "address").read_text().split()[0] == "127.0.0.1"
        assert host.runs
        left = host.processes()
        assert len(left) >= 3
    finally:
        host.kill()
    psutil.wait_procs(left, timeout=30)
    assert not host.runs and not any(process.is_running() for process in left)


def test_it_can_be_started_again(tmp_path: Path) -> None:
    host = NamespaceHost("node7", tmp_path / "node7.log")
    for word in ("first", "second"):
        host.start(["sh", "-c", f"echo {word}; sleep 1000"], os.environ)
        wait_until("it speaks", lambda said=word: said in (tmp_path / "node7.log").read_text(), 60)  # type: ignore[misc]
        host.kill()
        assert not host.runs


def test_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20


def test_waiting_ends_with_what_was_waited_for() -> None:
    with pytest.raises(TimeoutError, match="the moon is full: not within 0 s"):
        wait_until("the moon is full", lambda: False, 0)


def test_it_does_not_outlive_a_killed_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom devtools.namespace_host import NamespaceHost\n"
        "host = NamespaceHost('node7', Path(sys.argv[1]) / 'node7.log')\n"
        "host.start(['sleep', '1000'], os.environ)\nprint(host._process.pid, flush=True)\nsys.stdin.read()"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=PROJECT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert starter.stdout is not None
    made = psutil.Process(int(starter.stdout.readline()))
    wait_until("it sleeps", lambda: any(p.name() == "sleep" for p in made.children(recursive=True)), 60)
    left = [made, *made.children(recursive=True)]
    starter.kill()
    starter.wait()
    _, alive = psutil.wait_procs(left, timeout=30)
    assert alive == []
