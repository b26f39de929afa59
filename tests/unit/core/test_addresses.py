"""MLflow's address: usable from anywhere, shown without its password."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException

from nrdfer.core import addresses, paths
from nrdfer.core.addresses import sqlite_address, sqlite_path, usable
from nrdfer.core.errors import AddressError, TrackingError
from nrdfer.core.postgres import DRIVERS
from nrdfer.tracking.client import Tracking

SECRET = "planted-4f1c"  # noqa: S105 - it is looked for


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("URI", "USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", "")
    for name in ("PGPASSWORD", "no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("name", ["plain", "a%20b", "what?", "per%cent", "a b#c", "ä", os.fsdecode(b"\xdf")])
def test_a_folder_of_any_name_has_an_address_that_means_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "mlflow.db"
    assert sqlite_path(sqlite_address(path)) == path
    assert sqlite_path(usable(f"sqlite:///{path}", path)) == path  # pasted as it is, where it is the project's own


def test_a_relative_database_means_the_same_in_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db?timeout=30")
    assert paths.tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db?timeout=30"
    assert sqlite_path(paths.tracking_uri()) == tmp_path / "mlflow.db"


def test_the_password_of_an_address_goes_where_mlflows_client_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"https://me:{SECRET}%40x@lab.example:8443/tracking?token={SECRET}&a=b")
    assert paths.tracking_uri() == "https://lab.example:8443/tracking?a=b"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "me"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == f"{SECRET}@x"
    assert os.environ["MLFLOW_TRACKING_TOKEN"] == SECRET
    assert usable(f"postgresql+psycopg://me:{SECRET}@h:5/db", Path()) == "postgresql+psycopg://me@h:5/db"
    assert os.environ["PGPASSWORD"] == SECRET


@pytest.mark.parametrize(
    "address",
    [
        f"mysql+pymysql://me:{SECRET}@h/db",
        f"mysql+pymysql://me:a /{SECRET}',@h/db",
        f"http://h/?api_key={SECRET}",
        f"http://{SECRET}@h",
        f"mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3D{SECRET}",
    ],
)
def test_an_address_is_shown_without_its_secret(address: str) -> None:
    assert SECRET not in addresses.displayed(address)
    assert SECRET not in Tracking(address).address


@pytest.mark.parametrize(
    ("address", "used"),
    [
        (f"HTTP://me:{SECRET}@127.0.0.1:9", "http://127.0.0.1:9"),
        (f" http://me:{SECRET}@127.0.0.1:9\t", "http://127.0.0.1:9"),
        (f"http://me:a/{SECRET}@127.0.0.1:9/b", "http://127.0.0.1:9/b"),
        (f"PostgreSQL+psycopg://me:a/{SECRET}@h/db", "postgresql+psycopg://me@h/db"),
        ("http://127.0.0.1:9/a@b", "http://127.0.0.1:9/a@b"),
        ("MySQL+pymysql://me@h/db", "mysql+pymysql://me@h/db"),
    ],
)
def test_an_address_is_cleaned_however_it_is_written(monkeypatch: pytest.MonkeyPatch, address: str, used: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    addresses.settle_environment()
    assert os.environ["MLFLOW_TRACKING_URI"] == used
    kept = os.environ["MLFLOW_TRACKING_PASSWORD"] + os.environ["PGPASSWORD"]
    assert kept == ("" if SECRET not in address else f"a/{SECRET}" if "a/" in address else SECRET)


def test_what_mlflows_client_raises_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        try:
            raise OSError(f"refused {SECRET}")
        except OSError as error:
            raise MlflowException(f"API request to http://me:{SECRET}@h failed") from error

    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    tracking = Tracking()
    tracking._client = SimpleNamespace(search_runs=fail, get_experiment=fail)  # type: ignore[assignment]
    for ask in (lambda: tracking.find(a="b"), lambda: tracking.require("nothing is done")):
        with pytest.raises((MlflowException, TrackingError)) as raised:
            ask()
        assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_everything_that_is_started_inherits_an_address_without_its_password(tmp_path: Path) -> None:
    program = "import nrdfer, os; print(os.environ['MLFLOW_TRACKING_URI'], os.environ['MLFLOW_TRACKING_PASSWORD'])"
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"http://me:{SECRET}@127.0.0.1:9"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["http://127.0.0.1:9", SECRET]


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "all_proxy"])
def test_a_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from urllib.request import proxy_bypass

    import requests.utils

    monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "lab.example")
    addresses.settle_environment()
    for host in ("127.0.0.1", "localhost"):
        assert proxy_bypass(f"{host}:5000")
        assert requests.utils.should_bypass_proxies(f"http://{host}:5000", None)
    assert proxy_bypass("lab.example") and not proxy_bypass("elsewhere.example")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mlflow.lab:5000", "http://host:port"),
        ("postgresql://me@h/db", r"postgresql\+psycopg2?://"),
        ("ftp://h/x", "http://host:port"),
    ],
)
def test_an_address_that_cannot_be_used_is_answered_with_what_to_write(
    address: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for driver in DRIVERS:
        monkeypatch.setitem(sys.modules, driver, None)  # as if it were not installed
    with pytest.raises(AddressError, match=words):
        _ = Tracking(address).client


@pytest.mark.parametrize("folder", ["a%20b", "what?"])
def test_mlflows_database_is_made_in_a_folder_of_an_odd_name_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    home = tmp_path / "all" / folder
    monkeypatch.setenv("NRDFER_HOME", str(home))
    tracking = Tracking()
    run = tracking.training_run("d" * 64, "t", None, {}, {"a": 1})
    (tmp_path / "file.txt").write_text("kept")
    tracking.client.log_artifact(run, str(tmp_path / "file.txt"))
    assert (home / "mlflow.db").is_file()
    assert Path(tracking.client.download_artifacts(run, "file.txt")).read_text() == "kept"
    assert [path.name for path in (tmp_path / "all").iterdir()] == [folder]
