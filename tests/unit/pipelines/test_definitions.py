"""The graph: it loads without torch, and a change of its shape shows in review."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from assets import noise, prediction, tables
from nrdfer.corpora.own_corpus import RESERVED
from nrdfer.corpora.registry import CORPORA, trained_corpora
from nrdfer.experiments.catalogue import TABLES, TRAINED, TableSpec
from pipelines.definitions import defs

PROJECT = Path(__file__).resolve().parents[3]


def graph() -> dict[str, Any]:
    shape: dict[str, Any] = {}
    for node in defs.resolve_asset_graph().asset_nodes:
        shape[node.key.to_user_string()] = {
            "group": node.group_name,
            "parents": sorted(key.to_user_string() for key in node.parent_keys),
            "checks": sorted(key.name for key in node.check_keys),
            "pools": sorted(node.pools or []),
            "partitions": list(node.partitions_def.partition_dimension_names) if node.partitions_def else [],
        }
    return dict(sorted(shape.items()))


def test_graph_snapshot(snapshot: SnapshotAssertion) -> None:
    assert graph() == snapshot


def test_every_asset_has_a_description() -> None:
    missing = [n.key.to_user_string() for n in defs.resolve_asset_graph().asset_nodes if not n.description]
    assert missing == []


def selected(job: str) -> set[str]:
    return {key.to_user_string() for key in defs.resolve_job_def(job).asset_layer.executable_asset_keys}


def test_full_reproduction_covers_every_asset_that_has_no_job_of_its_own() -> None:
    further = [corpus.name for corpus in trained_corpora() if not corpus.of_paper]
    beside = {tables.GROUP, noise.GROUP, prediction.GROUP, *further}
    own_job = {name for name, node in graph().items() if node["group"] in beside}
    assert selected("full_reproduction") == set(graph()) - own_job
    for corpus in further:
        assert selected(f"{corpus}_reproduction") == {name for name, node in graph().items() if node["group"] == corpus}


def steps_of(graph: dg.GraphDefinition) -> int:
    """Steps, each kind of chunk as one."""
    parts = [node.definition for node in graph.nodes]
    return sum(steps_of(part) if isinstance(part, dg.GraphDefinition) else 1 for part in parts)


def test_the_console_of_the_main_job_stays_below_sixty_lines() -> None:
    """A line a step, whatever the profile and the corpora: chunks have none (see `run_progress`).

    The rest: corpus, job, log and end of the run, 4; the table of eight rows with title and borders, 13; what may be
    compared, 4; the report, 1; what to do next, 2.
    """
    assert 25 < steps_of(defs.resolve_job_def("full_reproduction").graph) <= 60 - (4 + 13 + 4 + 1 + 2)


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_table_has_its_job(table: TableSpec) -> None:
    parts = {f"{table.name}/{part}" for part in ("checkpoint", "evaluation", "table")}
    if table.name in TRAINED:
        assert selected(table.name) == parts
        keys = defs.resolve_job_def(table.name).partitions_def
        assert keys is not None
        assert len(keys.get_partition_keys()) == len(table.experiments) * len(table.splits)
    else:
        assert selected(table.name) >= {f"{table.name}/table", "dfew/fd1/evaluation", "dfew/fd5/checkpoint"}
        assert not any(node["partitions"] for name, node in graph().items() if name in selected(table.name))


def test_no_corpus_of_a_user_can_take_a_name_of_the_graph() -> None:
    repository = defs.get_repository_def()
    assets = repository.asset_graph
    taken = {key.path[0] for key in assets.get_all_asset_keys()}
    taken |= {str(assets.get(key).group_name) for key in assets.get_all_asset_keys()}
    taken |= {name.removesuffix("_reproduction") for name in repository.job_names if name.endswith("_reproduction")}
    assert taken - set(CORPORA) <= RESERVED
    assert "full" in taken and "noise" in taken


def test_trainings_of_tables_share_the_gpu_pool_with_the_folds() -> None:
    for table in TRAINED:
        assert graph()[f"{table}/checkpoint"]["pools"] == graph()["dfew/fd1/checkpoint"]["pools"] == ["gpu"]


def test_loading_the_graph_imports_nothing_heavy() -> None:
    code = (
        "import sys, pipelines.definitions; "
        "print([m for m in ('torch', 'mlflow', 'cv2', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_workspace_names_the_same_module_as_the_shell() -> None:
    workspace = yaml.safe_load((PROJECT / "workspace.yaml").read_text())
    module = workspace["load_from"][0]["python_module"]["module_name"]
    hook = (PROJECT / "pipelines" / "project" / "environment.sh").read_text()
    assert f"DAGSTER_MODULE_NAME={module}\n" in hook


def test_telemetry_is_off() -> None:
    assert yaml.safe_load((PROJECT / "dagster.yaml").read_text())["telemetry"] == {"enabled": False}


def test_definitions_are_loadable() -> None:
    dg.Definitions.validate_loadable(defs)
