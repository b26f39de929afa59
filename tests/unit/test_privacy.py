"""Nothing leaves the machine: importing the package silences libraries that would report their use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import nrdfer, torch
from nrdfer.runtime.onnx_session import Session, export
network = torch.nn.Linear(2, 1)
print(Session(export(network, torch.ones(1, 2), ("y",), {}), threads=1) is not None)
"""


def test_onnx_runtime_collects_nothing(tmp_path: Path) -> None:
    # it is silent by itself where CI is set, so the environment is an ordinary user's
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr
    # what it would send is collected in ~/.cache/Microsoft, beside a number that it gives this machine
    assert [str(path) for path in tmp_path.rglob("*") if "microsoft" in str(path.relative_to(tmp_path)).lower()] == []


def test_what_a_user_has_decided_stays() -> None:
    names = ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "ORT_DISABLE_TELEMETRY")
    code = f"import nrdfer, os; print([os.environ[name] for name in {names}])"
    environment = {name: value for name, value in os.environ.items() if name not in names}
    line = [sys.executable, "-c", code]
    silent = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert silent.stdout.strip() == "['true', 'true', '1']"
    decided = subprocess.run(line, env=environment | {"ORT_DISABLE_TELEMETRY": "0"}, capture_output=True, text=True)
    assert decided.stdout.strip() == "['true', 'true', '0']"
