"""What ``nrdfer dev`` says and decides before and after its servers run; the servers themselves: tests/end_to_end."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nrdfer.tracking.ui_urls import remembered_ports
from pipelines.pages import serve, servers
from pipelines.pages.ports import choose_ports
from pipelines.pages.servers import ServerError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    for name in ("DAGSTER_PORT", "MLFLOW_PORT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def listening(port: int = 0) -> socket.socket:
    server = socket.socket()
    server.bind(("127.0.0.1", port))
    server.listen()
    return server


def test_ports_stay_those_of_the_first_start(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with listening() as other:
        port = other.getsockname()[1]
        (home / "pages.json").write_text(f'{{"dagster": {port}, "mlflow": {port + 1000}}}')
        moved = choose_ports(["dagster", "mlflow"])
        assert port < moved["dagster"] < port + 100
        said = capsys.readouterr().out
        assert f"port {port} is taken: Dagster gets {moved['dagster']}" in said
        assert f"Links written earlier lead to {port}" in said
    assert remembered_ports()["dagster"] == port
    assert choose_ports(["dagster"])["dagster"] == port  # free again, and its own
    assert capsys.readouterr().out == ""


def test_both_pages_never_get_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as other:
        port = str(other.getsockname()[1])
    monkeypatch.setenv("DAGSTER_PORT", port)
    monkeypatch.setenv("MLFLOW_PORT", port)
    chosen = choose_ports(["dagster", "mlflow"])
    assert chosen["dagster"] != chosen["mlflow"]


def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_PORT", "http")
    with pytest.raises(ServerError, match=r"MLFLOW_PORT='http' is no port: give a number from 1 to 65535"):
        choose_ports(["mlflow"])


def test_a_server_that_dies_while_starting_is_told_with_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; print('\\n'.join(map(str, range(100))), flush=True); sys.exit('address already in use')"
    monkeypatch.setattr(servers, "command", lambda name, port: [sys.executable, "-c", code])
    server = servers.start("mlflow", 1, {})
    with pytest.raises(ServerError, match=r"MLflow ended \(status 1\)") as told:
        servers.wait_for([server])
    assert "address already in use" in str(told.value) and "mlflow-ui.log" in str(told.value)
    assert len(str(told.value).splitlines()) == 16


def test_a_server_that_does_not_answer_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(servers, "PATIENCE", 0.5)
    monkeypatch.setattr(servers, "command", lambda name, port: [sys.executable, "-c", "input()"])
    with listening() as nobody:
        port = nobody.getsockname()[1]
    monkeypatch.setattr(subprocess, "Popen", _with_open_input(subprocess.Popen))
    server = servers.start("dagster", port, {})
    try:
        with pytest.raises(ServerError, match=r"Dagster did not answer within 0 s; see .*dagster-dev\.log"):
            servers.wait_for([server])
    finally:
        servers.stop([server])
    assert server.process.poll() is not None


def _with_open_input(popen: Any) -> Any:
    return lambda *args, **kwargs: popen(*args, stdin=subprocess.PIPE, **kwargs)


def test_a_proxy_of_the_environment_is_not_asked_whether_a_page_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    from nrdfer.core.addresses import settle_environment

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

    with listening() as proxy, HTTPServer(("127.0.0.1", 0), Page) as server:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        settle_environment()  # as every start does
        Thread(target=server.serve_forever, daemon=True).start()
        page = servers.Server(
            "mlflow", server.server_port, tmp_path / "log", subprocess.Popen([sys.executable, "-c", ""])
        )
        assert page.answers()
        page.process.wait()
        server.shutdown()


def test_dagster_finds_the_graph_where_no_file_names_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    line = servers.command("dagster", 1)
    assert line[line.index("dev") + 1 :][:2] == ["-m", "pipelines.definitions"]
    (home / "workspace.yaml").touch()
    assert "pipelines.definitions" not in servers.command("dagster", 1)


def test_a_repair_that_takes_too_long_does_not_keep_the_pages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def late(line: list[str], **given: Any) -> None:
        raise subprocess.TimeoutExpired(line, given["timeout"])

    monkeypatch.setattr(subprocess, "run", late)
    serve.repair({})
    assert "could not be looked for within 120 s" in capsys.readouterr().out
