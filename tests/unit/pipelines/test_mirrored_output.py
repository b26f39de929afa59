"""What a step prints is mirrored by one `tail` a stream, which ends with the step however that ends."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines import mirrored_output
from pipelines.dagster_internals import MIRRORS

STEP = f"""
import importlib, sys
from pipelines import mirrored_output
mirrored_output.end_with_steps()
module = importlib.import_module("{MIRRORS}")
with module.mirror_stream_to_file(sys.stdout, sys.argv[1]) as (number, _):
    print(f"tail {{number}}", flush=True)
    sys.stdin.readline()
    print("more", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster's own function comes back after each test."""
    module = importlib.import_module(MIRRORS)
    monkeypatch.setattr(module, "execute_posix_tail", vars(module)["execute_posix_tail"])


def test_all_is_mirrored_and_kept_and_tail_ends_with_a_killed_step(tmp_path: Path) -> None:
    file = tmp_path / "step.out"
    process = subprocess.Popen(
        [sys.executable, "-c", STEP, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    word, number = process.stdout.readline().split()
    tail = psutil.Process(int(number))
    assert word == tail.name() == "tail"
    assert psutil.Process(process.pid).children(recursive=True) == [tail]  # no Python watches it
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "more\n"
    assert file.read_text() == f"tail {number}\nmore\n"
    process.kill()
    process.wait()
    assert psutil.wait_procs([tail], timeout=60)[1] == []
    process.stdin.close()
    process.stdout.close()


def test_it_ends_with_the_block_and_takes_a_stream_that_has_no_descriptor(tmp_path: Path) -> None:
    file = tmp_path / "step.out"
    file.touch()
    with mirrored_output._tail(str(file), io.StringIO()) as (number, _):
        assert psutil.Process(number).ppid() == os.getpid()
    assert not psutil.pid_exists(number)


def test_dagsters_own_stays_where_tail_cannot_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "tail"
    other.write_text("#!/bin/sh\necho 'usage: tail [-F | -f | -r] [-q] [file ...]'\nexit 1\n")
    other.chmod(0o755)
    before = vars(importlib.import_module(MIRRORS))["execute_posix_tail"]
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    began = time.monotonic()
    mirrored_output.end_with_steps()
    assert vars(importlib.import_module(MIRRORS))["execute_posix_tail"] is before, time.monotonic() - began
