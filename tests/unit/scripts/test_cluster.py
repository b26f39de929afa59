"""``make cluster`` starts the services of deploy/compose.yaml, for this machine only, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from devtools import cluster_services
from devtools.postgres_server import missing

PROJECT = Path(__file__).resolve().parents[3]


def test_the_services_are_those_of_compose() -> None:
    named = yaml.safe_load((PROJECT / "deploy" / "compose.yaml").read_text())["services"]
    lasting = {name for name, service in named.items() if service["restart"] == "unless-stopped"}
    assert lasting == set(cluster_services.SERVICES)


def test_a_service_that_ends_by_itself_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    code = "import sys; sys.exit('the port is taken')"
    with (
        cluster_services.service("s3", [sys.executable, "-c", code], dict(os.environ), tmp_path) as started,
        pytest.raises(cluster_services.ServiceError, match=r"s3 ended \(status 1\)[\s\S]*the port is taken"),
    ):
        cluster_services.wait_until(lambda: False, started)


def test_a_service_is_ended_with_what_it_started_and_does_not_listen_to_being_told(tmp_path: Path) -> None:
    deaf = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print('on', flush=True); "
    child = [sys.executable, "-c", deaf + "time.sleep(600)"]
    code = f"import subprocess; subprocess.Popen({child!r}).wait()"
    line = [sys.executable, "-c", code]
    with cluster_services.service("x", line, dict(os.environ), tmp_path, polite=1.0) as started:
        while "on" not in started.log.read_text():
            time.sleep(0.1)
        everyone = psutil.Process(started.process.pid).children(recursive=True)
        assert everyone
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in everyone)


def ports_of(processes: list[psutil.Process]) -> Iterator[tuple[str, Any]]:
    """Names and ports of processes; Ray's helpers come and go."""
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield from [(one.name(), port) for port in one.net_connections("tcp")]


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_all_start_answer_on_this_machine_only_and_end_on_ctrl_c() -> None:
    pytest.importorskip("ray")
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.cluster"], cwd=PROJECT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert process.stdout is not None
    told = []
    everyone: list[psutil.Process] = []
    try:
        for line in process.stdout:
            told.append(line)
            if line.startswith("Ctrl-C"):
                break
        found = dict(re.findall(r"^(\S.*?)\s{2,}(\S+)$", "".join(told), flags=re.M))
        assert {"Dagster", "MLflow", "PostgreSQL", "object store", "Ray"} <= found.keys(), told
        for page in (f"{found['Dagster']}/server_info", f"{found['MLflow']}/health"):
            with urllib.request.urlopen(page, timeout=30) as answer:  # noqa: S310 - our own
                assert answer.status == 200
        everyone = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        open_to_all = [
            (name, port.laddr)
            for name, port in ports_of(everyone)
            if port.status == psutil.CONN_LISTEN and port.laddr.ip.removeprefix("::ffff:") not in ("127.0.0.1", "::1")
        ]
        # Ray listens on every address whatever it is told: who has no token gets no answer
        assert {name.partition("::")[0] for name, _ in open_to_all} <= {
            "raylet",
            "gcs_server",
            "ray",
            "python",
            "python3",
        }
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{found['Ray']}/api/jobs/", timeout=30)  # noqa: S310 - our own
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=120)[0]
    assert process.returncode == 0, "".join(told) + rest
    _, left = psutil.wait_procs(everyone, timeout=30)
    assert left == []
