"""Several processes that register the same checkpoint at the same moment make one set of everything."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nrdfer import registry
from nrdfer.tracking.client import Tracking
from tests.conftest import PROJECT
from tests.unit.registry.at_once import DIGEST
from tests.unit.registry.registered import NAME, make_checkpoint

pytestmark = pytest.mark.slow

SHELLS = 3


def test_shells_with_the_same_line_make_one_run_one_version_and_two_logged_models(
    tracking: Tracking, tmp_path: Path
) -> None:
    folder = make_checkpoint(tmp_path / "checkpoint")
    shutil.copy(folder / "last.safetensors", folder / "best.safetensors")
    begin = tmp_path / "begin"
    line = [sys.executable, "-m", "tests.unit.registry.at_once", str(folder), str(begin)]
    shells = [subprocess.Popen(line, cwd=PROJECT, stderr=subprocess.PIPE, text=True) for _ in range(SHELLS)]
    try:
        deadline = time.monotonic() + 240
        while len([*tmp_path.glob("ready-*")]) < SHELLS and time.monotonic() < deadline:
            time.sleep(0.05)
        begin.touch()
        said = [shell.communicate(timeout=240)[1] for shell in shells]
    finally:
        for shell in shells:
            shell.kill()
    assert [shell.returncode for shell in shells] == [0] * SHELLS, "\n".join(said)[-4000:]
    (run,) = tracking.find(nrdfer__digest=DIGEST)
    assert [m.step for m in tracking.client.get_metric_history(run.info.run_id, "train_loss")] == [1]
    (version,) = tracking.client.search_model_versions(f"name = '{NAME}'")
    models = tracking.client.search_logged_models([tracking.experiment_id])
    assert sorted(str(model.status) for model in models) == ["READY", "READY"]
    assert {output.model_id for output in run.outputs.model_outputs} == {model.model_id for model in models}
    assert len(run.outputs.model_outputs) == 2
    aliases = tracking.client.get_registered_model(NAME).aliases
    assert {alias: str(number) for alias, number in aliases.items()} == {"fd1": "1", "champion": "1"}
    assert registry.open_version(f"models:/{NAME}@champion", tracking).version == str(version.version)
