"""The page about extending keeps its word: its network learns its corpus by the graph's own assets."""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from assets.corpus_branch import corpus_assets
from assets.project_resource import ArtifactReferences, Workbench
from nrdfer.cli import app
from nrdfer.config.rendering import CorpusSettings
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.registry import CORPORA, corpus_of
from nrdfer.corpora.synthetic.jobs import plan, render_clip
from nrdfer.evaluation.checkpoints import read_metrics
from nrdfer.models.registry import MODELS, Entry
from nrdfer.registry import find_version
from nrdfer.store import Store
from nrdfer.tracking.client import Tracking
from pipelines.checks import checks_of
from pipelines.jobs import corpus_job

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "extending.md").read_text()
NETWORK, NETWORK_LINE, CORPUS, CORPUS_LINE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def module(name: str, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that a block of the page is."""
    path = folder / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, made)  # dataclasses look their module up
    spec.loader.exec_module(made)
    return made


def add(registry: Any, line: str, known: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a line of the page into a registry for as long as the test takes; returns the name it adds."""
    ((name, entry),) = eval(f"{{{line}}}", known).items()  # noqa: S307 - this project's own page
    monkeypatch.setitem(registry, name, entry)
    return str(name)


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    made = module("mean_frames", NETWORK, tmp_path, monkeypatch)
    return add(MODELS, NETWORK_LINE, {"Entry": Entry, "mean_frames": made}, monkeypatch)


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    made = module("acted", CORPUS, tmp_path, monkeypatch)
    return CORPORA[add(CORPORA, CORPUS_LINE, vars(made), monkeypatch)]


@pytest.fixture
def root(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six people with every emotion each, rendered; three are a fold."""
    settings, folder = dataclasses.replace(CorpusSettings.tiny(), identities=15), tmp_path / "Acted"
    jobs = [job for job in plan(settings) if job.corpus == "DFEW" and job.split in ("1", "2")]
    folder.mkdir()
    with (folder / "labels.csv").open("w", newline="") as file:
        labels = csv.writer(file)
        labels.writerow(["clip", "emotion", "fold"])
        for job in jobs:
            truth = render_clip(job, settings, tmp_path / "rendered")
            shutil.move(tmp_path / "rendered" / truth["path"], folder / truth["clip_id"])
            labels.writerow([truth["clip_id"], job.emotion, job.split])
    monkeypatch.setenv(corpus.variable, str(folder))
    return folder


def test_a_registered_corpus_is_known_to_the_command_line(corpus: Corpus, root: Path) -> None:
    assert corpus_of("acted2") is corpus
    looked = CliRunner().invoke(app, ["doctor", "--corpus", f"{corpus.name}={root}"])
    assert looked.exit_code == 0, looked.output
    assert "42 clips" in looked.output
    assert corpus.name in CliRunner().invoke(app, ["corpus", "list"]).output
    refused = CliRunner().invoke(app, ["doctor", "--corpus", "nobody=/data"])
    assert refused.exit_code == 1
    assert "there is no corpus 'nobody'; known are dfew, afew" in refused.output


def test_a_corpus_outside_the_paper_has_a_group_and_a_job_of_its_own(corpus: Corpus) -> None:
    graph = dg.Definitions(
        assets=corpus_assets(corpus),
        asset_checks=checks_of(corpus),
        jobs=[corpus_job(corpus)],
        resources={"workbench": Workbench(profile="p", profiles_folder="."), "io_manager": dg.mem_io_manager},
    )
    assert {node.group_name for node in graph.resolve_asset_graph().asset_nodes} == {corpus.name}
    job = graph.resolve_job_def(f"{corpus.name}_reproduction")
    assert job.asset_layer.executable_asset_keys == graph.resolve_asset_graph().get_all_asset_keys()


@pytest.mark.slow
def test_the_network_learns_the_corpus_and_is_evaluated(
    network: str, corpus: Corpus, root: Path, tracking: Tracking, tmp_path: Path
) -> None:
    profile = {
        "name": "tiny",
        "description": "As small as can be.",
        "weights": {"retinaface": "sample", "enlightengan": "sample", "allow_download": False},
        "model": network,
        "model_preset": "sample",
        "engine": {"device": "cpu", "threads": 1, "workers": 0},
    }
    (tmp_path / "tiny.yaml").write_text(json.dumps(profile))
    workbench = Workbench(profile="tiny", profiles_folder=str(tmp_path))
    resources = {"workbench": workbench, "io_manager": ArtifactReferences(workbench=workbench)}
    done = dg.materialize([*corpus_assets(corpus), *checks_of(corpus)], resources=resources)
    assert done.success
    assert {check.check_name for check in done.get_asset_check_evaluations() if check.passed} == {
        "nothing_is_lost",
        "folds_are_disjoint",
        "shards_are_intact",
    }
    store = Store(tmp_path / "store")
    for split in corpus.splits:
        (checkpoint,) = store.find(corpus.asset("checkpoint", split))
        (evaluation,) = store.find(corpus.asset("evaluation", split))
        assert read_metrics(evaluation.path)["honest"]["clips"] == 21
        assert find_version(tracking, f"{network}-{corpus.name}", checkpoint.digest) is not None
    (together,) = store.find(corpus.asset("cross_validation"))
    assert 0 <= read_metrics(together.path)["honest"]["war_pooled"] <= 1
