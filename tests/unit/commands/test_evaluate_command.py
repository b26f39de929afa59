from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.core.emotions import EMOTIONS
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.evaluation import checkpoints as stage
from nrdfer.runtime.engine import Engine
from tests.unit.commands.conftest import Corpora

pytestmark = pytest.mark.slow

runner = CliRunner()


@pytest.fixture
def trained(corpora: Corpora) -> Corpora:
    """With a training of fold 1 in ``fd1``."""
    done = runner.invoke(app, ["train", "fd1", "--out", str(corpora.root / "fd1"), *corpora.dfew])
    assert done.exit_code == 0, done.output
    return corpora


def evaluate(corpora: Corpora, *words: str) -> Result:
    return runner.invoke(app, ["evaluate", str(corpora.root / "fd1"), *corpora.dfew, *words])


def test_figures_are_those_of_the_training(trained: Corpora) -> None:
    out = trained.root / "figures"
    done = evaluate(trained, "--split", "fd1", "--json", "--out", str(out))
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    result = json.loads((trained.root / "fd1" / "result.json").read_text())
    for protocol, row in (("honest", result["last"]), ("paper", result["best"])):
        assert told[protocol]["war"] == row["test_war"]
        assert told[protocol]["uar_unfiltered"] == row["test_uar_unfiltered"]
        table = pd.read_parquet(out / f"predictions_{protocol}.parquet")
        assert list(table["clip_id"]) == [f"{number:05d}" for number in range(14, 21)]
    assert (out / "curves.png").is_file()


def test_people_read_both_protocols_and_what_they_mean(trained: Corpora) -> None:
    done = evaluate(trained, "--split", "fd1")
    honest, sure, paper, _ = done.stdout.splitlines()
    assert sure.startswith("honest protocol: macro-F1 ") and "; ECE " in sure and "equally frequent emotions" in sure
    assert honest.startswith("honest protocol (last epoch): WAR ")
    assert paper.startswith("paper protocol (best epoch on the test fold): WAR ")
    assert "7 clips, each predicted once" in honest


def test_a_training_that_held_clips_out_has_a_third_protocol(corpora: Corpora) -> None:
    folder, out = corpora.root / "fd1", corpora.root / "figures"
    line = ["train", "fd1", "--out", str(folder), *corpora.dfew, "--set", "validation=0.5"]
    done = runner.invoke(app, line)
    assert done.exit_code == 0, done.output
    assert "validated protocol, best on held-out clips: " in done.output
    assert "is finished; nothing was done" in runner.invoke(app, line).output
    told = json.loads(evaluate(corpora, "--split", "fd1", "--json", "--out", str(out)).stdout)
    chosen = json.loads((folder / "validation.json").read_text())
    result = json.loads((folder / "result.json").read_text())["validated"]
    assert set(told) == {"split", "checkpoint", "honest", "paper", "validated"}
    assert chosen["validated"]["epoch"] == result["epoch"] and len(chosen["clips"]) == 7
    assert told["validated"]["war_unfiltered"] == result["test_war_unfiltered"]
    for protocol, choice in (("honest", "last"), ("validated", "validated")):
        assert told[protocol]["calibration"]["temperature"] == chosen[choice]["temperature"]
    assert "temperature" not in told["paper"]["calibration"]
    assert (out / "predictions_validated.parquet").is_file() and (out / "calibration_validated.png").is_file()
    done = evaluate(corpora, "--split", "fd1", "--protocol", "validated")
    assert done.stdout.startswith("validated protocol (epoch and thresholds chosen on held-out training clips): WAR ")


def test_nothing_is_validated_without_held_out_clips(trained: Corpora) -> None:
    done = evaluate(trained, "--split", "fd1", "--protocol", "validated")
    assert done.exit_code == 1 and "its training held no clips out" in done.output


def test_one_protocol_of_weights_alone(trained: Corpora, tmp_path: Path) -> None:
    folder = trained.root / "fd1"
    for name in ("best.safetensors", "history.jsonl"):  # as in the registry
        (folder / name).unlink()
    done = evaluate(trained, "--split", "fd1")
    assert done.exit_code == 0, done.output
    assert "has no weights of the protocol paper (best epoch on the test fold); it is left out" in done.stderr
    assert done.stdout.startswith("honest protocol") and "paper protocol" not in done.stdout
    done = runner.invoke(app, ["evaluate", str(folder), "--split", "fd1", "--protocol", "paper", "--shards", "nowhere"])
    assert done.exit_code == 1  # before the shards are looked at
    assert "has no weights of the protocol paper (best.safetensors" in done.output
    done = evaluate(trained, "--split", "fd1", "--protocol", "honest", "--json")
    assert set(json.loads(done.stdout)) == {"split", "checkpoint", "honest"}


def test_another_folds_clips_were_learnt_from(trained: Corpora) -> None:
    done = evaluate(trained, "--split", "fd2")
    assert done.exit_code == 0
    assert "warning: the weights are of fd1, which was trained on test clips of fd2" in done.stderr


def test_on_another_corpus_only_shared_emotions_count(trained: Corpora, monkeypatch: pytest.MonkeyPatch) -> None:
    out = trained.root / "across"
    with monkeypatch.context() as changed:
        changed.setattr(type(AFEW), "emotions", (*EMOTIONS[:3], "calm"))
        line = ["evaluate", str(trained.root / "fd1"), *trained.afew, "--on", "afew", "--json", "--out", str(out)]
        done = runner.invoke(app, line)
    assert done.exit_code == 0, done.output
    assert "clips of AFEW, 3 shared emotions; " in done.stderr and "clips of other emotions are left out" in done.stderr
    honest = json.loads(done.stdout)["honest"]
    assert list(honest["recalls"]) == ["happiness", "sadness", "neutral"]
    table = pd.read_parquet(out / "predictions_honest.parquet")
    assert set(table["emotion"]) == {"happiness", "sadness", "neutral"} and honest["clips"] == len(table)
    assert honest["shared_emotions"] == ["happiness", "sadness", "neutral"]
    assert set(table["predicted"]) <= set(honest["shared_emotions"])
    monkeypatch.setattr(type(DFEW), "splits", ("fd1", "fd2"))  # as many as there are
    own = evaluate(trained, "--on", "dfew")
    assert own.exit_code == 1 and "was trained on clips of DFEW; give --split fd1" in own.output
    assert "nothing is trained or tested on it" in evaluate(trained, "--on", "rendered").output
    assert "give either --split" in evaluate(trained, "--on", "afew", "--split", "fd1").output


def test_what_cannot_be_meant(trained: Corpora) -> None:
    assert "there is no protocol 'best'" in evaluate(trained, "--split", "fd1", "--protocol", "best").output
    done = runner.invoke(app, ["evaluate", str(trained.root / "nothing"), "--split", "fd1", *trained.dfew])
    assert done.exit_code == 1
    assert "is not a trained network" in done.output


def test_a_clip_left_out_is_noticed(trained: Corpora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nrdfer.evaluation import inference as module

    original = module.evaluate
    monkeypatch.setattr(module, "evaluate", lambda *given, **named: original(*given, **named).iloc[1:])
    with pytest.raises(ValueError, match=r"1 missing, e\.g\. 00014"):
        ids = [f"{number:05d}" for number in range(14, 21)]
        clips = stage.EvaluationSet(trained.root / "dfew", ids)
        stage.evaluate_checkpoint(trained.root / "fd1", clips, tmp_path, title="fd1", engine=Engine(device="cpu"))
