"""Networks of a user's file: which one it is, that it is run only when named, and what they must answer."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest
import torch

from nrdfer.core import paths
from nrdfer.core.errors import PluginError
from nrdfer.models.check_network import check_network
from nrdfer.models.network_file import allow_stored, open_named, open_recorded
from nrdfer.models.registry import build_model, build_recorded, find_model, resolve_settings
from nrdfer.models.trained_files import NETWORK
from nrdfer.training.request import network_identity

HEAD = "import torch\nfrom torch import nn\nfrom nrdfer.models.base import ClipNetwork, NetworkSettings\n\n"
NET = HEAD + (
    "class Net(nn.Module):\n"
    "    def __init__(self, classes, image_size: int = 16, width: int = 4, act=nn.ReLU):\n"
    "        super().__init__()\n"
    "        self.conv, self.head = nn.Conv2d(3, width, 3), nn.Linear(width, classes)\n"
    "    def forward(self, x):\n"
    "        return self.head(self.conv(x[:, 0]).mean((2, 3)))\n"
)
OWN = HEAD + (
    "class Net(ClipNetwork):\n"
    "    settings: NetworkSettings\n"
    "    def __init__(self, settings):\n"
    "        super().__init__()\n"
    "        self.settings, self.head = settings, nn.Linear(3, settings.classes)\n"
    "    def represent(self, x):\n"
    "        return x.mean((1, 3, 4))\n"
)
HELPER = NET + "def wipe(classes):\n    open({mark!r}, 'w')\n    return Net(classes)\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))


def written(folder: Path, text: str, name: str = "my_net.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_step_on_a_machine_with_a_store_of_its_own_may_run_what_the_profile_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_net.py").write_text(NET)
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "trained"))
    code = find_model(str(tmp_path / "my_net.py")).code
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "evaluated"))
    with pytest.raises(PluginError, match="no file of that content was named here"):
        open_recorded(code)
    network_identity(str(tmp_path / "my_net.py"))  # as the evaluation's step does
    assert open_recorded(code).name == "my_net.Net"


def test_a_file_that_is_not_on_this_machine_is_named_with_what_other_machines_need(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"my_net\.py cannot be read .*must be at this path on each of them"):
        open_named(tmp_path / "my_net.py")


def test_settings_are_the_keyword_arguments(tmp_path: Path) -> None:
    path = written(tmp_path, NET)
    settings = resolve_settings(path, {"width": 8}, "sample")
    assert (settings.image_size, settings.frames, settings.classes) == (16, 16, 7)
    assert build_model(path, {"width": 8}).state_dict()["wrapped.conv.weight"].shape == (8, 3, 3, 3)
    entry = find_model(path)
    assert (entry.name, entry.code["file"], entry.code["network"]) == ("my_net.Net", "my_net.py", "Net")


@pytest.mark.parametrize("text", [NET, OWN], ids=["plain module", "ClipNetwork"])
def test_a_record_and_another_process_give_the_same_network(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    entry = find_model(path)
    (tmp_path / "my_net.py").unlink()  # the copy is enough
    network = build_recorded(entry.name, entry.code, {"image_size": 16}).eval()
    check_network(network, "network")
    other = pickle.loads(pickle.dumps(network))  # noqa: S301 - made here
    x_BTCHW = torch.rand(2, 16, 3, 16, 16)
    assert torch.equal(other(x_BTCHW), network(x_BTCHW))
    assert not other.training


def test_a_file_that_was_never_named_here_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    entry = find_model(written(tmp_path, NET))
    kept = paths.network_files() / f"{entry.code['sha256']}.py"
    kept.write_text(f"open({str(mark)!r}, 'w')\n" + NET)  # not the content of its name
    for code in (entry.code, {**entry.code, "sha256": "../" + "0" * 61}):
        with pytest.raises(PluginError, match="no file of that content was named here"):
            build_recorded(entry.name, code, {})
    with pytest.raises(PluginError, match="defines none of that name"):
        find_model(written(tmp_path, NET))
        build_recorded(entry.name, {**entry.code, "network": "nn"}, {})
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("x = (", "", r"cannot be run: SyntaxError: .*\(my_net\.py, line 1\)"),
        ("import not_there", "", r"ModuleNotFoundError: No module named 'not_there' \(my_net\.py, line 1\)"),
        (HEAD, "", r"defines no class that is an nn\.Module; name the class or function.*my_net\.py:MyNet"),
        (NET + NET.replace("Net(", "Other(")[len(HEAD) :], "", r"defines 2 networks \(Net, Other\).*my_net\.py:Net"),
        (NET, ":Nett", "defines no class or function 'Nett'; its networks are Net"),
        (HEAD + "def net(classes, depth):\n    pass\n", ":net", "needs the argument depth, .* give it a default"),
        (HEAD + "def net(classes):\n    return 3\n", ":net", r"is a int; it must be, or return, a torch\.nn\.Module"),
        (HEAD + "def net(classes):\n    return 1 / 0\n", ":net", "cannot be built with classes=7: ZeroDivisionError"),
    ],
    ids=["syntax", "import", "none", "two", "misspelled", "argument", "no module", "raises"],
)
def test_a_file_that_cannot_be_used_is_one_message(text: str, name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=words):
        build_model(written(tmp_path, text) + name, {})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("nn.functional.pad(logits, (0, 3))", "answers with 10 logits a clip, but there are 7 emotions"),
        ("logits.sum()", r"with a tensor of shape \(\); it must return logits, \(2, 7\)"),
        ("logits[:1]", r"with a tensor of shape \(1, 7\)"),
        ("logits.argmax(-1, keepdim=True).expand(-1, 7)", r"answers with torch\.int64"),
        ("(logits, logits)", "with a tuple; it must return a tensor of logits"),
        ("logits / 0 * 0", "14 of 14 logits that are NaN or infinite"),
        ("logits @ logits", r"fails on clips of shape \(2, 16, 3, 16, 16\).*RuntimeError: mat1.*my_net\.py, line 11"),
    ],
)
def test_an_answer_that_is_no_logits_is_refused(answer: str, words: str, tmp_path: Path) -> None:
    text = NET.replace("return self.head(", "logits = self.head(") + f"        return {answer}\n"
    network = build_model(written(tmp_path, text), {})
    before = torch.get_rng_state()
    with pytest.raises(PluginError, match=words):
        check_network(network, "network Net of my_net.py")
    assert torch.equal(torch.get_rng_state(), before)
    assert network.training


def test_a_record_runs_no_function_that_nobody_named(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    path = written(tmp_path, HELPER.format(mark=str(mark)))
    entry = find_model(path)
    foreign = {**entry.code, "network": "wipe"}
    with pytest.raises(PluginError, match=r"is no class of networks, and nobody named it here.*FILE\.py:wipe"):
        build_recorded("my_net.wipe", foreign, {})
    assert not mark.exists()
    find_model(f"{path}:wipe")
    assert (paths.network_files() / f"{entry.code['sha256']}.names").read_text() == "wipe\n"
    build_recorded("my_net.wipe", foreign, {})
    assert mark.exists()


def test_names_that_cannot_be_read_approve_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, HELPER.format(mark=str(tmp_path / "executed")))
    entry = find_model(f"{path}:wipe")
    names = paths.network_files() / f"{entry.code['sha256']}.names"
    names.write_bytes(b"wipe\n\xff")
    with pytest.raises(PluginError, match="nobody named it here"):
        build_recorded(entry.name, entry.code, {})
    find_model(f"{path}:wipe")
    assert names.read_text() == "wipe\n"


def test_a_named_model_approves_its_own_function_only(tmp_path: Path) -> None:
    text = HELPER.format(mark=str(tmp_path / "executed"))
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / NETWORK).write_text(text)
    code = {"file": "my_net.py", "network": "wipe", "sha256": hashlib.sha256(text.encode()).hexdigest()}
    with pytest.raises(PluginError, match="the model's record is wrong"):
        allow_stored(folder, {**code, "network": "x\nwipe"})
    allow_stored(folder, {**code, "network": "Net"})
    with pytest.raises(PluginError, match="nobody named it here"):
        build_recorded("my_net.wipe", code, {})
    allow_stored(folder, code)
    build_recorded("my_net.wipe", code, {})
