"""What a first-time user finds in Dagster's page: every asset, job, check and setting says what it is, and truly."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from assets import asset_groups
from assets.code_references import place_of
from assets.project_resource import Workbench
from nrdfer.corpora.registry import CORPORA, trained_corpora
from pipelines.asset_specs import presented
from pipelines.definitions import defs
from pipelines.jobs import EXAMPLE, full_reproduction, jobs

NODES = {node.key.to_user_string(): node for node in defs.resolve_asset_graph().asset_nodes}
CHAPTERS = {group.name: group for group in (*asset_groups.MAIN, *asset_groups.BESIDE)}
FURTHER = [corpus for corpus in trained_corpora() if not corpus.of_paper]
GROUPS = {**CHAPTERS, **{corpus.name: asset_groups.further_group(corpus) for corpus in FURTHER}}


def references(node: Any) -> list[tuple[Path, int]]:
    found = node.metadata["dagster/code_references"].code_references
    return [(Path(reference.file_path), int(reference.line_number)) for reference in found]


@pytest.mark.parametrize("name", sorted(NODES))
def test_every_asset_says_what_it_is_and_who_cares_for_it(name: str) -> None:
    node = NODES[name]
    what, made_of, look_at = (node.description or "").split("\n\n")
    assert 20 < len(what) <= 140 and what.endswith((".", "`."))
    assert ". " not in what  # the catalogue shows it on one line
    assert made_of.startswith("**Made of** ") and look_at.startswith("**Look at** ")
    assert node.group_name in GROUPS
    assert list(node.owners) == [GROUPS[node.group_name].owner]
    assert node.kinds
    assert node.tags.get("corpus") == (name.split("/")[0] if name.split("/")[0] in CORPORA else None)


@pytest.mark.parametrize("name", sorted(NODES))
def test_every_asset_links_to_the_lines_that_make_it(name: str) -> None:
    found = references(NODES[name])
    assert found
    for file, line in found:
        assert file.parent.name == "assets"
        starts = {}
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                starts[min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])] = node.name
        assert line in starts, f"{file}:{line} begins no function or class"


def test_an_asset_that_works_on_clips_links_to_its_own_work_too() -> None:
    assert [file.name for file, _ in references(NODES["afew/aligned_faces"])] == [
        "preprocessing.py",
        "chunked_assets.py",
    ]


def test_assets_that_are_named_in_descriptions_exist() -> None:
    named = {
        word
        for node in NODES.values()
        for word in re.findall(r"`(\w+/[\w/]+)`", node.description or "")
    }  # fmt: skip
    assert len(named) > 10
    assert named <= set(NODES)


def test_groups_sort_in_the_order_of_the_graph() -> None:
    main = [group.name for group in asset_groups.MAIN]
    assert sorted(CHAPTERS)[-len(main) - 1 : -1] == main
    place = {group: number for number, group in enumerate(main)}
    for name, node in NODES.items():
        above = [NODES[key.to_user_string()].group_name for key in node.parent_keys]
        late = [group for group in above if node.group_name in place and place.get(group, -1) > place[node.group_name]]
        assert late == [], name


def test_what_an_asset_says_of_itself_stays() -> None:
    @dg.asset(owners=["team:else"], tags={"corpus": "mine"}, group_name=asset_groups.SHARDS.name, key=["afew", "more"])
    def more() -> None: ...

    (shown,) = presented([more])
    (spec,) = shown.specs
    assert (list(spec.owners), spec.tags["corpus"]) == (["team:else"], "mine")


def test_every_job_and_check_says_what_it_does() -> None:
    assert all(len(job.description or "") > 40 and job.tags for job in jobs)
    checks = [key for node in NODES.values() for key in node.check_keys]
    graph = defs.resolve_asset_graph()
    assert len(checks) >= 6
    assert all(graph.get_check_spec(key).description for key in checks)


def test_every_setting_of_the_launchpad_says_what_it_is() -> None:
    missing = [name for name, field in Workbench.model_fields.items() if len(field.description or "") < 20]
    assert missing == []
    shown = defs.resolve_job_def("full_reproduction").run_config
    assert shown is not None
    assert set(shown["resources"]["workbench"]["config"]) == {"profile", "overrides"}


def test_the_example_in_the_jobs_description_can_be_launched() -> None:
    assert EXAMPLE in (full_reproduction.description or "")
    dg.validate_run_config(defs.resolve_job_def("full_reproduction"), yaml.safe_load(EXAMPLE))
    config = yaml.safe_load(EXAMPLE)["resources"]["workbench"]["config"]
    del config["afew_root"], config["dfew_root"]
    profile = Workbench(**config, profiles_folder=str(Path(__file__).parents[3] / "pipelines" / "profiles")).settings
    assert (profile.dfew_recipe.epochs, profile.engine.precision) == (10, "bf16")


def test_the_place_of_a_function_is_its_file_and_line() -> None:
    file, line = place_of(presented)
    assert Path(file).read_text().splitlines()[line - 1].startswith("def presented(")


def test_nothing_asks_for_more_than_the_page_itself() -> None:
    settings = yaml.safe_load((Path(__file__).parents[3] / "dagster.yaml").read_text())
    assert settings["telemetry"] == settings["nux"] == {"enabled": False}
