"""Two agents of ``torchrun``, as on two machines: same bytes as two processes of one, kills, and errors in words."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from nrdfer.core.errors import ProfileError
from nrdfer.runtime.determinism import gpus_of
from nrdfer.runtime.engine import Engine
from nrdfer.training.loop import train_fold
from nrdfer.training.torchrun import spread_fields
from tests.unit.training.machines import PATIENCE, arguments, content, environment, saved_batches
from tests.unit.training.tiny import ENGINE, request


def agents(line: list[str], folder: Path) -> list[subprocess.Popen[bytes]]:
    """The same line on two 'machines', which meet on the loopback interface."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--max-restarts=0"]
    torchrun += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=test", "--local-addr=127.0.0.1"]
    started = []
    for number in range(2):
        with (folder / f"agent-{number}.log").open("ab") as log:
            started.append(
                subprocess.Popen(
                    [*torchrun, "-m", "nrdfer.cli", *line],
                    env=environment(folder / "home"),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
    return started


def finish(started: list[subprocess.Popen[bytes]]) -> list[int]:
    try:
        return [process.wait(PATIENCE) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def words(folder: Path) -> str:
    return "".join((folder / f"agent-{number}.log").read_text() for number in range(2))


def until_saved(out: Path, batches: int, started: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and all(process.poll() is None for process in started):
        if saved_batches(out) >= batches:
            return
        time.sleep(0.02)
    raise AssertionError("no checkpoint came")


@pytest.mark.slow
def test_a_stopped_and_a_killed_agent_end_all_in_words_and_the_same_line_ends_with_the_same_bytes(
    corpus: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    line = arguments(corpus, out)
    started = agents(line, tmp_path)
    until_saved(out, 2, started)
    started[0].send_signal(signal.SIGTERM)  # one machine is to be shut down
    codes = finish(started)
    assert codes[0] != 0
    assert codes[1] != 0
    assert "everything is saved" in words(tmp_path)
    started = agents(line, tmp_path)
    until_saved(out, 9, started)
    started[1].kill()  # and its process with it
    codes = finish(started)
    assert codes[0] != 0
    assert codes[1] == -signal.SIGKILL
    assert "the connection to another process of this training was lost" in words(tmp_path)
    assert not (out / "result.json").exists()
    assert finish(agents(line, tmp_path)) == [0, 0], words(tmp_path)[-3000:]
    assert content(out) == undisturbed
    assert finish(agents(line, tmp_path)) == [0, 0]
    assert "is finished; nothing was done" in words(tmp_path)


@pytest.mark.slow
def test_what_keeps_one_process_from_beginning_ends_both(corpus: Path, tmp_path: Path) -> None:
    assert all(finish(agents(arguments(corpus, tmp_path / "out", 2, devices=3), tmp_path)))
    assert "devices: 3 are requested, but torchrun started 2 processes" in words(tmp_path)


def test_several_nodes_are_refused_for_a_process_alone(tmp_path: Path) -> None:
    alone = request(tmp_path, engine=Engine(**{**vars(ENGINE), "nodes": 2}))
    with pytest.raises(ProfileError, match=r"nodes: 2 machines .* `torchrun --nnodes"):
        train_fold(alone)
    with pytest.raises(ValueError, match="nodes must be at least 1"):
        Engine(nodes=0)


def test_world_and_this_machines_devices_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
    assert list(gpus_of(torch.device("cuda", 1), 8)) == [0, 1, 2, 3]
    assert spread_fields(ENGINE) == {"devices": 8, "nodes": 2}
    assert spread_fields(Engine(device="auto", devices=0, nodes=2)) == {"devices": 8, "nodes": 2}
    with pytest.raises(ProfileError, match="devices: 4 are requested"):
        spread_fields(Engine(devices=4))
    with pytest.raises(ProfileError, match="nodes: 3 are requested"):
        spread_fields(Engine(nodes=3))
    monkeypatch.delenv("LOCAL_WORLD_SIZE")
    assert list(gpus_of(torch.device("cuda", 1), 2)) == [0, 1]
    assert list(gpus_of(torch.device("cuda", 1), 1)) == [1]


def test_nodes_do_not_change_the_identity_of_a_training() -> None:
    assert Engine(nodes=2).numerics() == Engine().numerics()
