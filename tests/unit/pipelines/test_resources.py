"""Resources of a run: all of them see its config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.project_resource import Workbench
from nrdfer.core.errors import ProfileError
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


def test_a_profile_is_resolved_again_where_its_file_or_what_is_laid_over_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("name: p\ndescription: d\n")
    place = {"profile": "p", "profiles_folder": str(tmp_path)}
    first = Workbench(**place).settings
    assert Workbench(**place).settings is first
    assert Workbench(**place, overrides={"workers": 1}).settings.workers == 1
    assert Workbench(**place, afew_root="/afew").settings.corpora.afew_root == "/afew"
    assert Workbench(**place).settings == first
    file.write_text("name: p\ndescription: d\nworkers: 5\n")
    assert Workbench(**place).settings.workers == 5
    file.unlink()
    with pytest.raises(ProfileError, match="there is no profile 'p'"):
        _ = Workbench(**place).settings


def test_a_process_connects_to_mlflow_once_until_the_address_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "one"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    workbench = Workbench(profile="p", profiles_folder=str(tmp_path))
    first = workbench.tracking
    assert workbench.tracking is first and first.artifacts == tmp_path / "one" / "mlartifacts"
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "two"))
    assert workbench.tracking.artifacts == tmp_path / "two" / "mlartifacts"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert workbench.tracking.uri == "http://127.0.0.1:9"
