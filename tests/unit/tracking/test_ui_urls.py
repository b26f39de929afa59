"""Links lead to where the pages of this project are."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.core import paths
from nrdfer.tracking.client import Tracking, dagster_url
from nrdfer.tracking.ui_urls import dagster_page, mlflow_page, remember_ports, remembered_ports, runs_page


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    for name in ("NRDFER_DAGSTER_URL", "NRDFER_MLFLOW_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_before_the_first_start_links_lead_to_the_usual_ports() -> None:
    assert (dagster_page(), mlflow_page()) == ("http://127.0.0.1:3000", "http://127.0.0.1:5000")


def test_links_written_without_the_pages_lead_to_this_projects_ports() -> None:
    remember_ports({"dagster": 3001, "mlflow": 5007})
    assert dagster_url("abc") == "http://127.0.0.1:3001/runs/abc"
    assert Tracking().run_url("def") == "http://127.0.0.1:5007/#/runs/def"


def test_within_the_pages_links_lead_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    remember_ports({"dagster": 3001, "mlflow": 5007})
    monkeypatch.setenv("NRDFER_DAGSTER_URL", "http://127.0.0.1:3009")
    monkeypatch.setenv("NRDFER_MLFLOW_URL", "http://127.0.0.1:5009")
    assert (dagster_page(), mlflow_page()) == ("http://127.0.0.1:3009", "http://127.0.0.1:5009")


def test_runs_on_the_users_own_server_are_linked_there_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@mlflow.lab:8443/tracking/")
    assert Tracking().run_url("def") == "https://mlflow.lab:8443/tracking/#/runs/def"


@pytest.mark.parametrize("password", ["secret", "a/secret"])
def test_a_password_in_the_address_of_a_page_is_in_no_link(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("NRDFER_DAGSTER_URL", f"https://me:{password}@dagster.lab/")
    monkeypatch.setenv("NRDFER_MLFLOW_URL", f"HTTPS://me:{password}@mlflow.lab:8443/a")
    assert dagster_url("abc") == "https://dagster.lab/runs/abc"
    assert Tracking().run_url("def") == "https://mlflow.lab:8443/a/#/runs/def"


@pytest.mark.parametrize(
    "content", ["", "[]", '{"dagster": true, "mlflow": 5}', '{"dagster": "three", "mlflow": 5000}', '{"dagster": 3001}']
)
def test_a_file_that_is_not_understood_is_as_none(home: Path, content: str) -> None:
    (home / "pages.json").write_text(content)
    assert remembered_ports() == {"dagster": 3000, "mlflow": 5000}


def test_the_runs_of_the_project_are_found_as_soon_as_there_are_any(tmp_path: Path, tracking: Tracking) -> None:
    view = "workflowType=machine_learning"
    assert runs_page("http://m") == f"http://m/#/experiments/{tracking.experiment_id}/runs?{view}"
    (paths.home() / "mlflow.db").write_bytes(b"damaged")
    assert runs_page("http://m") == f"http://m/#/experiments?{view}"
    (paths.home() / "mlflow.db").unlink()
    assert runs_page("http://m") == f"http://m/#/experiments?{view}"
