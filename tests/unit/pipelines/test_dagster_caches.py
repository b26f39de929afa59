"""What Dagster works out anew for every event and resource is kept, and what differs is not mixed up."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.project_resource import ArtifactReferences
from pipelines import dagster_caches
from pipelines.dagster_internals import INFER_SCHEMAS, MAKE_ENGINES, MIGRATIONS, MIRRORS
from pipelines.resources import EnvironmentWorkbench

SETTINGS = """
storage:
  custom:
    module: pipelines.storage
    class: SharedSqliteStorage
    config: {base_dir: history}
"""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses of the engines that are made, in order."""
    addresses: list[str] = []
    for name in MAKE_ENGINES:
        module = importlib.import_module(name)
        create = _dagsters(vars(module)["create_engine"])

        def counted(address: str, create: Callable[..., Any] = create, **settings: Any) -> Any:
            addresses.append(address)
            return create(address, **settings)

        monkeypatch.setattr(module, "create_engine", counted)
    dagster_caches.keep_engines()
    dagster_caches.keep_engines()  # as several modules of one process do
    return addresses


def _dagsters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Dagster's own function behind one that keeps its results."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    kept = [cell for cell in cells if hasattr(cell, "__wrapped__")]
    return function if not kept else next(c.cell_contents for c in kept[0].__wrapped__.__closure__)


@pytest.mark.parametrize(
    ("module", "function", "keywords"),
    [
        *((name, "create_engine", ("poolclass", "connect_args")) for name in MAKE_ENGINES),
        *((name, "infer_schema_from_config_class", ("fields_to_omit", "default")) for name in INFER_SCHEMAS),
        (MIRRORS, "execute_posix_tail", ("stream",)),
    ],
)
def test_functions_that_are_replaced_are_there_and_called_so(
    module: str, function: str, keywords: tuple[str, ...]
) -> None:
    found = vars(importlib.import_module(module))[function]
    inspect.signature(found).bind("an address, a class or a path", **dict.fromkeys(keywords))


def test_the_migrations_are_where_they_are_looked_for() -> None:
    assert importlib.import_module("dagster._core.storage.sql").ALEMBIC_SCRIPTS_LOCATION == MIGRATIONS


def test_a_database_has_one_engine_and_all_that_is_stored_is_read(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dagster.yaml").write_text(SETTINGS)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        runs = [instance.create_run_for_job(dg.GraphDefinition(name).to_job()) for name in ("one", "two")]
        for number in range(20):
            for run in runs:
                instance.report_engine_event(f"event {number}", run)
        told = [[record.message for record in instance.all_logs(run.run_id)] for run in runs]
    assert [len([text for text in texts if "event " in text]) for texts in told] == [20, 20]
    assert len(made) == len(set(made)), made
    assert {Path(address).name for address in made} >= {"runs.db", "index.db", *(f"{run.run_id}.db" for run in runs)}


def test_a_database_that_is_made_again_is_another_one(made: list[str], tmp_path: Path) -> None:
    module = importlib.import_module(MAKE_ENGINES[1])
    for content in ("first", "second"):
        storage = module.SqliteRunStorage.from_local(str(tmp_path))
        assert storage.get_runs() == []
        storage.set_cursor_values({"content": content})
        assert storage.get_cursor_values({"content"}) == {"content": content}
        for file in tmp_path.glob("runs.db*"):
            file.unlink()
    assert len(made) == 1


def test_a_class_of_resources_has_one_schema() -> None:
    dagster_caches.keep_schemas()  # as loading the graph does
    (name,) = INFER_SCHEMAS
    infer = vars(importlib.import_module(name))["infer_schema_from_config_class"]
    assert infer(EnvironmentWorkbench, fields_to_omit=set()) is infer(EnvironmentWorkbench, fields_to_omit=set())
    whole, without = (infer(ArtifactReferences, fields_to_omit=names) for names in (set(), {"workbench"}))
    assert whole is not without
    fields = infer(EnvironmentWorkbench, fields_to_omit={"afew_root"}).config_type.fields
    assert "dfew_root" in fields and "afew_root" not in fields
    given = infer(EnvironmentWorkbench, fields_to_omit=set(), default={"afew_root": "/data"})
    assert given.config_type.fields["afew_root"].default_value == "/data"


def test_two_resources_of_a_class_keep_their_own_values() -> None:
    first, second = EnvironmentWorkbench(afew_root="/one"), EnvironmentWorkbench(overrides={"workers": 1})
    assert (first.afew_root, second.afew_root) == ("/one", "")
    assert (first.overrides, second.overrides) == ({}, {"workers": 1})
