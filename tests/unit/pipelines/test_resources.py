"""Resources of a run: all of them see its config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.project_resource import Workbench
from nrdfer.store import Artifact
from nrdfer.store.pointers import made_with
from pipelines.resources import resources


@dg.asset(key=["demo", "source"])
def source(workbench: Workbench) -> Artifact:
    return workbench.store.build(
        "demo/source", code_version="1", config={}, inputs={}, build=lambda out: {"n": (out / "x").write_text("x")}
    )


def test_runs_of_other_settings_have_pointers_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    (tmp_path / "p.yaml").write_text("name: p\ndescription: d\n")
    config: dict[str, Any] = {"profile": "p", "profiles_folder": str(tmp_path), "workers": 1}
    run_config = {"resources": {"workbench": {"config": config}}}
    used = {name: resources[name] for name in ("workbench", "io_manager")}
    assert dg.materialize([source], resources=used, run_config=run_config).success
    plain = {"profile": "p", "profiles_folder": str(tmp_path)}
    assert made_with(Workbench(**config).settings).get("demo/source") is not None
    assert made_with(Workbench(**plain).settings).get("demo/source") is None
