from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.config.profile import Profile
from nrdfer.config.resolve import profile_of_shell
from nrdfer.core.errors import TrainingError
from nrdfer.preprocessing.spec import Preprocessing
from nrdfer.store import Store
from nrdfer.store.pointers import made_with
from nrdfer.tracking.client import Tracking
from nrdfer.training import loop, run_folder
from nrdfer.training.monitor import Watch
from tests.unit.commands.conftest import Corpora

pytestmark = pytest.mark.slow

runner = CliRunner()
RESULT = ("last.safetensors", "best.safetensors", "history.jsonl", "model.json")


def train(corpora: Corpora, *words: str, split: str = "fd1", out: str = "out") -> Result:
    data = corpora.afew if split == "afew" else corpora.dfew
    return runner.invoke(app, ["train", split, "--no-track", "--out", str(corpora.root / out), *data, *words])


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULT}


def test_a_fold_is_trained_and_both_protocols_are_named(corpora: Corpora) -> None:
    tiny = json.loads((corpora.root / "tiny.yaml").read_text())
    weights = {"retinaface": "sample", "enlightengan": "sample"}
    (corpora.root / "tiny.yaml").write_text(json.dumps({**tiny, "weights": weights}))
    done = train(corpora)
    assert done.exit_code == 0, done.output
    out = corpora.root / "out"
    history = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert len(history) == 2
    lines = done.output.splitlines()
    assert [line[:9] for line in lines[:2]] == ["epoch   1", "epoch   2"]
    assert f"WAR {100 * history[1]['test_war']:.2f} (without the filter " in lines[1]
    assert lines[-2].startswith("honest protocol, last epoch:")
    assert lines[-1].startswith("paper protocol, best epoch on the test fold:")
    assert sorted(path.name for path in (out / "work").glob("checkpoint*")) == []
    assert not {name for name in RESULT if not (out / name).is_file()}
    prepared = Preprocessing.read(out / "preprocessing.json")  # so the folder predicts under any profile
    assert prepared == Preprocessing.of_profile(profile_of_shell())


def test_mlflow_shows_the_training_under_one_run(corpora: Corpora, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(corpora.root / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert train(corpora, "--track", "--engine", "checkpoint_every_batches=1").exit_code == 0
    tracking = Tracking()
    (found,) = tracking.find(nrdfer__role="training")
    assert found.info.run_name == "dfew/fd1/training in out"
    logged = {Path(file.path).name for file in tracking.client.list_artifacts(found.info.run_id, "training")}
    assert {"last.safetensors", "model.json", "history.jsonl", "train.jsonl"} <= logged
    assert found.info.status == "FINISHED"
    assert found.data.tags["nrdfer.folder"] == str(corpora.root / "out")
    history = [json.loads(line) for line in (corpora.root / "out" / "history.jsonl").read_text().splitlines()]
    for key in ("test_war", "test_war_unfiltered", "train_loss"):
        told = tracking.client.get_metric_history(found.info.run_id, key)
        assert [(row.step, row.value) for row in told] == [(row["epoch"], row[key]) for row in history]


def test_two_processes_share_the_batches_and_are_followed(corpora: Corpora) -> None:
    done = train(corpora, "--engine", "devices=2", "--engine", "device=cpu")
    assert done.exit_code == 0, done.output
    assert [line[:9] for line in done.output.splitlines()[:2]] == ["epoch   1", "epoch   2"]
    lines = [json.loads(line) for line in (corpora.root / "out" / "work" / "train.jsonl").read_text().splitlines()]
    assert [line["world"] for line in lines if line["kind"] == "start"] == [2]
    assert (corpora.root / "out" / "best.safetensors").is_file()


_OWN = """
from torch import nn

class Net(nn.Module):
    def __init__(self, classes, image_size: int = 16, width: int = 8):
        super().__init__()
        pooled = nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.net = nn.Sequential(*pooled, nn.Linear(width, classes))

    def forward(self, x):
        return self.net(x.mean(1))
"""


def test_a_network_file_is_trained_by_two_processes(corpora: Corpora, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(corpora.root / "home"))
    file = corpora.root / "own_net.py"
    file.write_text(_OWN)
    words = ["--model-file", str(file), "--engine", "devices=2", "--engine", "device=cpu"]
    done = train(corpora, *words, "--model-set", "width=4")
    assert done.exit_code == 0, done.output
    described = json.loads((corpora.root / "out" / "model.json").read_text())
    assert (described["model"], described["settings"]["width"]) == ("own_net.Net", 4)
    assert (corpora.root / "out" / "network.py").read_text() == _OWN
    assert "is finished; nothing was done" in train(corpora, *words, "--model-set", "width=4").output
    file.write_text(_OWN + "# changed")
    changed = train(corpora, *words, "--model-set", "width=4")
    assert changed.exit_code == 1
    assert "holds a training of other settings (code.sha256 is " in changed.output


def test_the_same_line_again_says_that_it_is_finished(corpora: Corpora, monkeypatch: pytest.MonkeyPatch) -> None:
    first = train(corpora, "--json")
    monkeypatch.setattr(loop, "train_fold", lambda *_, **__: pytest.fail("trained again"))
    again = train(corpora, "--json")
    assert (first.exit_code, again.exit_code) == (0, 0), again.output
    assert "is finished; nothing was done" in again.stderr
    assert json.loads(again.stdout) == json.loads(first.stdout)


def test_json_stands_alone_on_standard_output(corpora: Corpora) -> None:
    done = train(corpora, "--json", "--set", "epochs=1")
    told = json.loads(done.stdout)
    assert (told["split"], told["epochs"], told["last"]["epoch"]) == ("fd1", 1, 1)
    assert done.stderr.startswith("epoch   1  loss ")


def test_every_option_reaches_the_training(corpora: Corpora) -> None:
    words = ["--recipe", "dfew-author-code", "--set", "epochs=1", "--set", "batch=7", "--set", "augment.flip=0"]
    words += ["--set", "lr=1e-3", "--engine", "workers=1", "--engine", "channels_last=false"]
    words += ["--model", "resnet18-gru", "--preset", "sample"]
    words += ["--model-set", "image_size=32", "--model-set", "width=4"]
    done = train(corpora, *words, split="fd2")
    assert done.exit_code == 0, done.output
    told = json.loads((corpora.root / "out" / "model.json").read_text())
    recipe = told["recipe"]
    assert (told["model"], told["settings"]["width"]) == ("resnet18-gru", 4)
    assert (recipe["name"], recipe["epochs"], recipe["batch"], recipe["lr"]) == ("dfew-author-code", 1, 7, 0.001)
    assert (recipe["augment"]["flip"], recipe["weight_decay"]) == (0.0, 0.1)
    identity = json.loads((corpora.root / "out" / run_folder.SETTINGS).read_text())
    assert identity["split"] == "fd2"
    assert identity["engine"]["channels_last"] is False


def test_a_stopped_training_ends_with_143_and_is_continued(corpora: Corpora, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train(corpora, out="straight").exit_code == 0
    original = Watch.batch

    def asked(watch: Watch, epoch: int, step: int, *given: Any) -> None:
        original(watch, epoch, step, *given)
        if step == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Watch, "batch", asked)
    done = train(corpora)
    assert done.exit_code == 143
    assert "stopped by SIGTERM in epoch 2, after batch" in done.stderr
    assert "the same command continues" in done.stderr
    assert not (corpora.root / "out" / "last.safetensors").exists()
    monkeypatch.setattr(Watch, "batch", original)
    again = train(corpora)
    assert again.exit_code == 0, again.output
    assert "epoch   1" not in again.stdout.splitlines()[0]  # continued, not begun anew
    assert bytes_of(corpora.root / "out") == bytes_of(corpora.root / "straight")


def test_a_folder_of_other_settings_is_refused_and_told_apart(corpora: Corpora) -> None:
    assert train(corpora, "--set", "epochs=1").exit_code == 0
    before = bytes_of(corpora.root / "out")
    done = train(corpora, "--set", "epochs=1", "--set", "lr=0.01")
    assert done.exit_code == 1
    assert "holds a training of other settings (recipe.lr is 0.05 there, 0.01 here)" in done.output
    assert bytes_of(corpora.root / "out") == before
    # what changes no result is no other setting
    assert train(corpora, "--set", "epochs=1", "--engine", "workers=1").exit_code == 0


def test_a_folder_of_something_else_is_refused(corpora: Corpora) -> None:
    (corpora.root / "out").mkdir()
    (corpora.root / "out" / "thesis.txt").write_text("mine")
    done = train(corpora)
    assert done.exit_code == 1
    assert "holds something else (thesis.txt)" in done.output


def test_two_trainings_into_one_folder(corpora: Corpora) -> None:
    with run_folder.held(corpora.root / "out"):
        done = train(corpora)
    assert done.exit_code == 1
    assert "another process is training into" in done.output


def test_afew_starts_where_it_is_told_to(corpora: Corpora) -> None:
    assert train(corpora, "--set", "epochs=1", out="fd1").exit_code == 0
    done = train(corpora, "--set", "epochs=1", split="afew")
    assert done.exit_code == 1
    assert "dfew/fd1/checkpoint has not been made" in done.output
    assert "--initial none" in done.output
    still = ["--set", "epochs=1", "--set", "lr=1e-12", "--set", "weight_decay=0"]
    for name, initial in (("tuned", str(corpora.root / "fd1")), ("scratch", "none")):
        done = train(corpora, *still, "--initial", initial, split="afew", out=name)
        assert done.exit_code == 0, done.output
    from safetensors.torch import load_file

    weights = {name: load_file(corpora.root / name / RESULT[0]) for name in ("fd1", "tuned", "scratch")}
    name = next(key for key in weights["fd1"] if key.endswith("position_TD"))
    assert (weights["tuned"][name] - weights["fd1"][name]).abs().max() < 1e-6
    assert (weights["scratch"][name] - weights["fd1"][name]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recipe", "dfew-papre"], "there is no recipe 'dfew-papre'"),
        (["--set", "lr"], "--set lr: write NAME=VALUE"),
        (["--set", "lr=abc"], "lr is 'abc' (str), but must be a number"),
        (["--set", "lr=0.1", "--set", "lr=0.2"], "--set lr=0.2: lr is given twice"),
        (["--set", "augment=[", "--set", "x=1"], "not valid YAML"),
        (["--set", "augment.flop=1"], "unknown setting flop"),
        (["--engine", "worker=1"], "unknown setting worker"),
        (["--model", "resnet"], "there is no model 'resnet'"),
        (["--model-file", "resnet"], "--model-file resnet: give a Python file"),
        (["--model-file", "{root}/gone.py"], "gone.py cannot be read (No such file or directory)"),
        (["--model-file", "a.py", "--model", "c3d"], "give one of both"),
        (["--preset", "tiny"], "no preset 'tiny'"),
        (["--model-set", "depth=1"], "unknown setting depth"),
        (["--initial", "{root}"], "is not a trained network"),
        (["--profile", "none"], "there is no profile 'none'"),
    ],
)
def test_what_cannot_be_meant_is_one_message(corpora: Corpora, words: Sequence[str], message: str) -> None:
    done = train(corpora, *(word.format(root=corpora.root) for word in words))
    assert done.exit_code == 1
    assert message in done.output
    assert not (corpora.root / "out").exists()


def test_clips_that_are_not_there(corpora: Corpora) -> None:
    folds = corpora.root / "folds.json"
    told = json.loads(folds.read_text())
    told["1"]["test"].append("99999")
    folds.write_text(json.dumps(told))
    assert "1 clips of fold 1 are not in" in train(corpora).output
    folds.write_text("[]")
    assert "does not hold folds" in train(corpora).output
    assert "there is no split 'fd6'" in train(corpora, split="fd6").output
    done = runner.invoke(app, ["train", "afew", "--out", str(corpora.root / "out"), *corpora.dfew[:2]])
    assert "not of AFEW" in done.output


def _leave(profile: Profile, asset: str, files: dict[str, bytes]) -> None:
    """What a run of the graph leaves."""
    store = Store(made_with(profile).store.root)

    def build(out: Path) -> dict[str, Any]:
        for name, data in files.items():
            (out / name).write_bytes(data)
        return {}

    made_with(profile).set(asset, store.build(asset, code_version="1", config={}, inputs={}, build=build))


def test_the_profiles_last_run_is_found_whatever_is_laid_over(corpora: Corpora) -> None:
    line = ["train", "fd1", "--out", str(corpora.root / "out"), "--set", "epochs=1", "--model-set", "temporal_mlp=4"]
    done = runner.invoke(app, line)
    assert done.exit_code == 1
    assert "dfew/shards has not been made with the profile 'tiny'" in done.output
    profile = profile_of_shell()
    shards = {path.name: path.read_bytes() for path in (corpora.root / "dfew").iterdir()}
    _leave(profile, "dfew/shards", shards)
    _leave(profile, "dfew/folds", {"folds.json": (corpora.root / "folds.json").read_bytes()})
    done = runner.invoke(app, line)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_that_is_ended_before_it_trains_says_so_and_is_killed_in_mlflow(
    corpora: Corpora, tracking: Tracking, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def end_it(*_: Any, **__: Any) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while not tracking.find(nrdfer__role="training") and time.monotonic() < deadline:
            time.sleep(0.1)
        os.kill(os.getpid(), number)
        time.sleep(60)
        raise AssertionError("the signal did not end it")

    monkeypatch.setattr(loop, "train_fold", end_it)
    done = train(corpora, "--track", out=f"out-{number}")
    assert done.exit_code == 143
    assert "stopped; what is finished is kept; the same command continues: " in done.stderr
    (found,) = tracking.find(nrdfer__role="training")
    assert found.info.status == "KILLED"


def test_one_that_fails_has_failed_in_mlflow(
    corpora: Corpora, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> dict[str, Any]:
        raise TrainingError("nothing to learn")

    monkeypatch.setattr(loop, "train_fold", fail)
    assert train(corpora, "--track", out="out-failed").exit_code == 1
    (found,) = tracking.find(nrdfer__role="training")
    assert found.info.status == "FAILED"


def test_a_failed_start_forbids_no_corrected_line(corpora: Corpora, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise TrainingError("there is no such device")

    with monkeypatch.context() as broken:
        broken.setattr(loop, "train_fold", fail)
        assert train(corpora, "--set", "epochs=1", "--set", "lr=0.3").exit_code == 1
    out = corpora.root / "out"
    assert [path.name for path in out.iterdir() if not path.name.startswith(".")] == []
    assert train(corpora, "--set", "epochs=1").exit_code == 0
    assert json.loads((out / run_folder.SETTINGS).read_text())["recipe"]["lr"] == 0.05
