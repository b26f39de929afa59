"""The page about networks of other packages keeps its word: its package and its file are trained, tested and loaded."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.config.profile import Profile
from nrdfer.core.errors import PluginError, TrainingError
from nrdfer.core.plugins import NETWORKS
from nrdfer.corpora.dfew import DFEW
from nrdfer.evaluation.inference import evaluate
from nrdfer.faces.other_detector import OtherDetector
from nrdfer.models.saved_model import load_model
from nrdfer.models.trained_files import LAST, MODEL, NETWORK
from nrdfer.publish.model_files import crops_content
from nrdfer.registry import register
from nrdfer.registry import tags as names
from nrdfer.registry.versions import Facts
from nrdfer.serving.registered_model import load_registered
from nrdfer.shards.split import Split
from nrdfer.tracking.client import Tracking
from nrdfer.training.key import key_of_profile
from nrdfer.training.request import network_identity, network_settings
from tests.unit.packages import install, put_on_path
from tests.unit.registry.registered import TOLD
from tests.unit.training.tiny import KilledError, after_epoch, bytes_of, run, spots

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "your_own_network.md").read_text()
FILE, PACKAGE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(PROJECT,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip installed the page's package."""
    folder = tmp_path_factory.mktemp("face-nets")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "face_nets.py").write_text(PACKAGE)
    words = ["--no-deps", "--no-build-isolation", "--no-index", "--no-compile", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", "-q", *words, "--target", str(folder / "site"), str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return folder / "site"


@pytest.fixture
def package(site: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    put_on_path(site, "face_nets", monkeypatch)
    return "mean-of-frames"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    (tmp_path / "my_net.py").write_text(FILE)
    return str(tmp_path / "my_net.py")


def asked(reference: str) -> dict[str, Any]:
    """Fields of the request for a network that a profile names."""
    profile = Profile.read({"name": "own", "description": "", "model": reference}, "profile own")
    name, code = network_identity(reference)
    return {"model": name, "model_settings": network_settings(profile, DFEW), "code": code}


@pytest.mark.parametrize("kind", ["package", "file"])
def test_it_is_trained_continued_evaluated_and_loaded(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    wanted = asked(request.getfixturevalue(kind))
    run(spots(), tmp_path / "whole", **wanted)
    with pytest.raises(KilledError):
        run(spots(), tmp_path / "killed", **wanted, **after_epoch(1))
    run(spots(), tmp_path / "killed", **wanted)
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")
    out = tmp_path / "whole" / "out"
    assert (out / NETWORK).is_file() == (kind == "file")
    network = load_model(out / MODEL, out / LAST)
    table = evaluate(network, spots(), [f"{i:05d}" for i in range(14, 21)], details=True)
    assert len(table) == 7
    assert np.isfinite(np.stack(table["state"].tolist())).all()


def test_a_changed_file_is_another_training(file: str, tmp_path: Path) -> None:
    def key() -> dict[str, Any]:
        profile = Profile.read({"name": "own", "description": "", "model": file}, "profile own")
        return key_of_profile(profile, Split("fd1", "dfew", tmp_path, ("a",), ("b",)), "d").config()

    before, wanted = key(), asked(file)
    with pytest.raises(KilledError):
        run(spots(), tmp_path, **wanted, **after_epoch(1))
    Path(file).write_text(FILE.replace("[:, -1]", "[:, 0]"))
    assert {name for name, value in key().items() if value != before[name]} == {"code"}
    with pytest.raises(TrainingError, match=r"belongs to another training: code\.sha256 is .* there, .* here"):
        run(spots(), tmp_path, **asked(file))


def test_a_network_of_another_width_is_refused_before_it_is_trained(file: str, tmp_path: Path) -> None:
    Path(file).write_text(FILE.replace("nn.Linear(width, classes)", "nn.Linear(width, 8)"))
    with pytest.raises(PluginError, match="answers with 8 logits a clip, but there are 7 emotions"):
        run(spots(), tmp_path, **asked(file))
    assert not list((tmp_path / "work").glob("checkpoint*"))


def test_a_version_is_loaded_where_its_code_is_known_and_nowhere_else(
    file: str, tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(spots(), tmp_path, **asked(file))
    out = tmp_path / "out"
    digest = "f" * 64
    training = tracking.training_run(digest, "fd1", None, {}, {})
    facts = Facts(digest, "# a card", 3, {"war": 0.5}, TOLD)
    made = register(tracking, "my_net.MyNet-dfew", training, crops_content(out, LAST, "# a card"), facts)
    clip = torch.rand(1, 16, 3, 32, 32).numpy()
    answer = load_registered(made.uri, tracking).predict({"clip": clip})
    assert answer["emotion"].notna().all()
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(PluginError, match=r"no file of that content was named here\. Code that comes with a model"):
        load_registered(made.uri, tracking)
    monkeypatch.setattr("nrdfer.models.costs.measure_all", tuple)  # of the built-in networks: it takes seconds
    listed = CliRunner().invoke(app, ["models", "--json", "--model-file", str(out)])
    assert '"my_net.MyNet"' in listed.output, listed.output
    assert load_registered(made.uri, tracking).predict({"clip": clip}).equals(answer)
    assert names.CODE in tracking.client.get_model_version(made.name, made.version).tags


def test_a_model_of_a_package_that_is_not_installed(
    package: str, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(spots(), tmp_path, **asked(package))
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(site)])
    out = tmp_path / "out"
    with pytest.raises(PluginError, match=r"it is not installed\. Install it: pip install 'face-nets==1\.0'"):
        load_model(out / MODEL, out / LAST)


def test_the_packages_detector_finds_what_it_says(package: str) -> None:
    ((face,),) = OtherDetector("middle").detect_batch([np.zeros((100, 200, 3), np.uint8)])
    assert face.box.tolist() == [75, 25, 125, 75]


def test_the_list_of_networks_names_the_package_and_what_is_wrong_with_others(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {NETWORKS: {"broken": "Net", "odd": "odd", "c3d": "odd"}}
    install(tmp_path, monkeypatch, "odd-nets", "def odd(classes):\n    return None\n", entries)
    monkeypatch.setattr("nrdfer.models.costs.measure_all", tuple)
    listed = CliRunner().invoke(app, ["models", "--json"])
    rows = {row["name"]: row for row in json.loads(listed.output) if row["source"] != "nrdfer"}
    assert (rows[package]["source"], rows[package]["parameters"]) == ("face-nets 1.0", 3 * 32 * 32 * 7 + 7)
    assert "AttributeError: module 'odd_nets' has no attribute 'Net'" in rows["broken"]["problem"]
    assert "it must be, or return, a torch.nn.Module" in rows["odd"]["problem"]
    assert "the built-in one is used" in rows["c3d"]["problem"]
