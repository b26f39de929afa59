"""``nrdfer push``: what is published, that it is asked for, and that a model comes back as it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from devtools.hub_service import TOKEN, HubService, Repository
from nrdfer.cli import app
from nrdfer.core.errors import NrdferError, WeightsError
from nrdfer.core.plugins import DETECTORS, NETWORKS, Code
from nrdfer.models.base import ClipNetwork
from nrdfer.models.registry import build_model, find_model
from nrdfer.models.saved_model import cpu_weights, write_description, write_weights
from nrdfer.models.trained_files import LAST, MODEL
from nrdfer.predict.model import open_model
from nrdfer.preprocessing.spec import FILE, Preprocessing
from nrdfer.publish.model_card import _plain
from nrdfer.publish.push import plan_push, push
from tests.unit.packages import install

REPO, TARGET = "someone/net", "hf://someone/net"
NAMES = {MODEL, LAST, FILE, "README.md", "nrdfer.json"}
OWN = """
from torch import nn
from nrdfer.models.base import ClipNetwork, NetworkSettings

class Net(ClipNetwork):
    settings: NetworkSettings
    def __init__(self, settings):
        super().__init__()
        self.settings, self.head = settings, nn.Linear(3, settings.classes)
    def represent(self, x):
        return x.mean((1, 3, 4))
"""


@pytest.fixture
def trained(network_folder: Path, tmp_path: Path, sample_shell: None) -> Path:
    """A trained folder with more in it than a network."""
    folder = shutil.copytree(network_folder, tmp_path / "trained")
    (folder / "history.jsonl").write_text("{}\n")
    (folder / "face.png").write_bytes(b"a face")
    (folder / "predictions_honest.parquet").write_bytes(b"predictions")
    return folder


def run(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["push", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_a_model_comes_back_as_it_was_and_nothing_else_is_sent(hub: HubService, trained: Path) -> None:
    address = push(plan_push(str(trained), TARGET))
    there = hub.repositories[REPO]
    assert there.private
    assert set(there.commits[-1][1]) == NAMES | {".gitattributes"}
    back, before = open_model(str(address)), open_model(str(trained))
    assert (back.origin.name, back.origin.version) == (REPO, address.revision)
    assert back.origin.weights_sha256 == before.origin.weights_sha256
    assert back.preprocessing == before.preprocessing
    assert back.note == ""
    pairs = zip(back.network.state_dict().values(), before.network.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert TOKEN not in json.dumps([request.body.decode(errors="replace") for request in hub.seen])


def test_the_list_is_shown_and_nothing_is_sent_without_an_answer(hub: HubService, trained: Path) -> None:
    code, printed, told = run(trained, TARGET)
    assert code == 1
    for name in NAMES:
        assert name in printed
    assert f"{hub.endpoint}/{REPO} (new; only you" in printed
    assert "profile 'sample' of this shell" in told
    assert "nothing was sent" in told
    assert hub.repositories == {}
    assert {request.method for request in hub.seen} == {"GET"}
    code, printed, _ = run(trained, TARGET, "--yes")
    assert code == 0
    assert f"--model {TARGET}@{hub.repositories[REPO].commits[-1][0]}" in printed


def test_a_public_repository_must_be_meant(hub: HubService, trained: Path) -> None:
    hub.repositories[REPO] = Repository(private=False)
    hub.repositories[REPO].commit({"README.md": b"# mine"})
    with pytest.raises(NrdferError, match=r"is public: everyone would see the model. If that is meant, add --public"):
        plan_push(str(trained), TARGET)
    plan = plan_push(str(trained), TARGET, public=True)
    assert "PUBLIC: everyone can see it" in plan.lines()[0]
    assert [line.split()[2] for line in plan.lines() if "replaces the one there" in line] == ["README.md"]
    hub.repositories[REPO].private = True  # meanwhile
    with pytest.raises(NrdferError, match="is private, other than was agreed to; nothing was sent"):
        push(plan)
    assert len(hub.repositories[REPO].commits) == 1


def test_a_repository_of_something_else_is_left_alone(hub: HubService, trained: Path) -> None:
    hub.repositories[REPO] = Repository(private=True)
    hub.repositories[REPO].commit({"train.py": b"print()"})
    with pytest.raises(NrdferError, match=r"holds train.py.*Push to another repository"):
        plan_push(str(trained), TARGET)


def test_a_refusal_is_told_without_the_token_and_changes_nothing(
    hub: HubService, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_push(str(trained), TARGET)
    hub.refuse_commits = True
    with pytest.raises(NrdferError, match=r"pushing to hf://someone/net failed: .*403.*a token that may write") as told:
        push(plan)
    assert TOKEN not in str(told.value)
    assert [set(files) for _, files in hub.repositories[REPO].commits] == [{".gitattributes"}]
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(NrdferError, match=r"no token of the hub is on this machine; log in with `hf auth login`"):
        plan_push(str(trained), TARGET)


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("# a card\n\nTrained in /home/someone/faces.", "the path '/home/someone/faces."),
        ("# a card\n\nTrained in C:\\Users\\someone.", "the path 'C:"),
        ("# a card\n\nTrained in C:/Users/someone.", "the path '/Users/someone."),
        ("# a card\n\nTrained in `/gpfs/group/faces`.", "the path '/gpfs/group/faces'"),
        ("# a card\n\n> /lustre/faces/train", "the path '/lustre/faces/train'"),
        ("# a card\n\nroot:/nfs/faces", "the path '/nfs/faces'"),
        ("# a card\n\nBy annabelle, on a Friday.", "the user's name 'annabelle'"),
        ("# a card\n\nOn machine9.", "the host's name 'machine9'"),
        (f"# a card\n\n{TOKEN}", "a password or a token"),
    ],
)
def test_what_tells_of_this_machine_is_not_published(
    hub: HubService, trained: Path, monkeypatch: pytest.MonkeyPatch, card: str, words: str
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "annabelle")
    monkeypatch.setattr("socket.gethostname", lambda: "machine9.example")
    (trained / "model_card.md").write_text(card)
    with pytest.raises(WeightsError, match=r"README.md of .* is not published: it holds") as refused:
        plan_push(str(trained), TARGET)
    assert words in str(refused.value)
    assert hub.seen == []


def test_addresses_and_paths_that_nrdfer_writes_itself_are_removed(
    hub: HubService, trained: Path, tmp_path: Path
) -> None:
    from nrdfer.weights.catalogue import sample_weights

    mine = tmp_path / "of mine, 2" / "mine.safetensors"
    mine.parent.mkdir()
    mine.write_bytes(sample_weights("retinaface").read_bytes() + b"\0")
    before = open_model(str(trained)).preprocessing.to_dict()
    before["retinaface"] = {**before["retinaface"], "name": mine.name, "path": str(mine)}
    Preprocessing.from_dict(before).write(trained / FILE)
    card = f"# a card\n\nMade by: [this run](http://127.0.0.1:5000/#/runs/abc).\n\n{_plain(before)}\n\n## Use"
    (trained / "model_card.md").write_text(card)
    described = json.loads((trained / MODEL).read_text())
    (trained / MODEL).write_text(json.dumps({**described, "machine": str(tmp_path)}))
    files = plan_push(str(trained), TARGET).content.files
    assert str(tmp_path) not in b"".join(files.values()).decode(errors="replace")
    assert json.loads(files[FILE])["retinaface"]["path"] == mine.name
    assert "Made by: this run." in files["README.md"].decode()
    assert "127.0.0.1" not in files["README.md"].decode()
    listed = files["README.md"].decode()
    assert f"retinaface.sha256 {before['retinaface']['sha256']}, retinaface.convention " in listed
    assert ".path " not in listed
    for kept in ("retinaface.name ", "enhance crop", "enlightengan.sha256 ", "jpeg_quality 95\n\n## Use"):
        assert kept in listed
    assert "trained on rendered faces only" not in files["README.md"].decode()


def test_a_card_may_name_registered_versions_and_say_and_or(hub: HubService, trained: Path) -> None:
    text = "From models:/own/3, runs:/abc/model; anger and/or fear, 3/4; </b>."
    (trained / "model_card.md").write_text(f"# a card\n\n{text}")
    assert text in plan_push(str(trained), TARGET).content.files["README.md"].decode()


def test_a_network_of_a_file_is_refused_before_anything_is_asked(
    hub: HubService, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    (tmp_path / "own.py").write_text(OWN)
    entry = find_model(str(tmp_path / "own.py"))
    replace_network(trained, entry.name, build_model(str(tmp_path / "own.py"), {}), entry.code)
    with pytest.raises(
        WeightsError, match=r"the network own\.Net is of a file of yours, .*hold no code; make a package"
    ):
        plan_push(str(trained), TARGET)
    assert hub.seen == []


def test_a_network_and_a_detector_of_packages_are_pushed_with_the_records_of_their_code(
    hub: HubService, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "a", monkeypatch, "face-nets", OWN, {NETWORKS: {"small": "Net"}}, "1.2")
    install(tmp_path / "b", monkeypatch, "face-finders", "", {DETECTORS: {"middle": "Middle"}})
    code = find_model("small").code
    replace_network(trained, "small", build_model("small", {}), code)
    used, _ = open_model(str(trained)).preprocessing.overridden(detector="middle")
    used.write(trained / FILE)
    files = plan_push(str(trained), TARGET).content.files
    assert json.loads(files[MODEL])["code"] == code
    sent = json.loads(files[FILE])
    assert (sent["retinaface"], sent["detector"]["package"]) == (None, "face-finders")


def replace_network(folder: Path, name: str, network: ClipNetwork, code: Code) -> None:
    """Give a trained folder another network."""
    recipe = json.loads((folder / MODEL).read_text())["recipe"]
    write_weights(folder / LAST, cpu_weights(network))
    write_description(folder, name, {"image_size": network.settings.image_size}, recipe, code)


@pytest.mark.parametrize(
    ("target", "words"), [("someone/net", "hf://OWNER/NAME"), ("hf://someone/net@main", "a push makes a new commit")]
)
def test_a_target_that_cannot_be_meant_is_refused(hub: HubService, trained: Path, target: str, words: str) -> None:
    code, _, told = run(trained, target, "--yes")
    assert code == 1
    assert words in told
    assert hub.seen == []
