"""MLflow on PostgreSQL: its tables are made once, by whoever is first, and its files are where the project says."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from devtools.postgres_server import PostgresServer, missing, postgres_server
from devtools.s3_server import s3_server
from devtools.tracking_server import TrackingServer
from nrdfer import registry
from nrdfer.core.errors import AddressError, TrackingError
from nrdfer.tracking.client import Tracking
from tests.unit.registry.registered import make_checkpoint, register

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]
_PATIENCE = 1800.0  # imports alone take minutes on a busy machine


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as started:
        yield started


def first(k: int, home: str, url: str, together: Barrier) -> None:
    os.environ |= {"NRDFER_HOME": f"{home}-{k}", "MLFLOW_TRACKING_URI": url}  # as if on machines without a shared disk
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  (what takes long comes before the barrier)

    together.wait(_PATIENCE)
    tracking = Tracking()
    run = tracking.training_run(f"{k}" * 64, f"fd{k}", None, {}, {"fold": k})
    tracking.sync_history(run, [{"epoch": 1, "train_loss": 0.5}])


def test_machines_that_are_the_first_at_once_all_record(server: PostgresServer, tmp_path: Path) -> None:
    server.create("first")
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(3)
    started = [
        spawn.Process(target=first, args=(k, str(tmp_path / "home"), server.url("first", "postgresql"), together))
        for k in range(3)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(_PATIENCE)
    assert [process.exitcode for process in started] == [0] * 3
    assert server.ask("select count(*) from params where key = 'fold'", "first") == [(3,)]
    assert server.ask("select count(*) from metrics where key = 'train_loss'", "first") == [(3,)]
    assert server.ask("select name from experiments order by 1", "first") == [("Default",), ("nr-dfernet",)]


def test_what_a_killed_process_left_half_made_is_completed(server: PostgresServer, tmp_path: Path) -> None:
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    server.create("half")
    engine = create_engine(server.url("half"))
    Base.metadata.create_all(engine)  # the first of MLflow's two steps
    engine.dispose()
    tracking = Tracking(server.url("half", "postgresql"), tmp_path / "mlartifacts")
    assert tracking.training_run("d" * 64, "t", None, {}, {"a": 1})
    experiment = tracking.client.get_experiment(tracking.experiment_id)
    assert experiment.artifact_location == (tmp_path / "mlartifacts").as_uri()
    assert server.password not in f"{tracking.uri} {tracking.address}"


@pytest.mark.parametrize(
    ("root", "kept"), [("s3://bucket/mlflow", "s3://bucket/mlflow"), ("file:///of/this/machine", None), ("", None)]
)
def test_files_belong_to_the_project_or_to_the_object_store_that_is_named(
    root: str, kept: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", root)
    own = (tmp_path / "mlartifacts").as_uri()
    made = Tracking("postgresql://h/db", tmp_path / "mlartifacts")
    assert made._artifact_root() == (kept or own)
    assert Tracking("sqlite:////tmp/m.db", tmp_path / "mlartifacts")._artifact_root() == own
    assert Tracking("http://h:5000", tmp_path / "mlartifacts")._artifact_root() is None


def test_dagsters_database_is_refused_and_stays_as_it_is(server: PostgresServer) -> None:
    server.create("taken")
    server.ask("create table daemon_heartbeats (id int)", "taken")
    with pytest.raises(AddressError, match="is Dagster's database") as refused:
        _ = Tracking(server.url("taken", "postgresql")).client
    assert server.password not in str(refused.value)
    assert server.ask("select tablename from pg_tables where schemaname = 'public'", "taken") == [
        ("daemon_heartbeats",)
    ]


def test_a_user_who_may_make_no_tables_is_told_at_once(server: PostgresServer) -> None:
    server.create("closed")
    server.ask("create role guest login password 'guest-password'", "closed")
    url = server.url("closed", "postgresql").replace(f"nrdfer:{server.password}", "guest:guest-password")
    with pytest.raises(AddressError, match=r"permission denied for schema public.*owner of the database"):
        _ = Tracking(url).client


def test_a_server_that_is_away_is_told_within_seconds(server: PostgresServer, tmp_path: Path) -> None:
    server.create("away")
    url = server.url("away", "postgresql")
    server.stop()
    try:
        with pytest.raises(TrackingError, match=r"does not answer .*onnection refused") as told:
            Tracking(url).require("nothing is registered")
        assert server.password not in str(told.value)
    finally:
        server.start()
    Tracking(url).require("nothing is registered")


def test_a_version_is_registered_and_opened_on_another_machine_through_a_server_and_an_object_store(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.create("behind")
    with s3_server(tmp_path / "s3.log", "nrdfer") as store:
        mlflow = TrackingServer(tmp_path / "server", server.url("behind"), "s3://nrdfer/mlflow", store.environment)
        mlflow.start()
        try:
            monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "one"))
            remote = Tracking(mlflow.uri)
            checkpoint = make_checkpoint(tmp_path / "checkpoint")
            made = register(remote, checkpoint)
            location = remote.client.get_experiment(remote.experiment_id).artifact_location
            assert urlsplit(str(location)).scheme == "mlflow-artifacts"
            monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "other"))
            opened = registry.open_version(made.uri, Tracking(mlflow.uri))
            assert opened.folder.is_relative_to(tmp_path / "other")
            weights = (checkpoint / "last.safetensors").read_bytes()
            assert (opened.artifacts / "last.safetensors").read_bytes() == weights
            assert any(key.endswith("last.safetensors") for key in store.keys("mlflow/"))
            (versions,) = server.ask("select count(*) from model_versions", "behind")
            assert versions == (1,)
        finally:
            mlflow.kill()
