"""``nrdfer compare``: trainings and evaluations in folders, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from scipy.stats import binomtest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.core.emotions import EMOTIONS
from nrdfer.evaluation.checkpoints import METRICS, predictions_path
from nrdfer.models.trained_files import MODEL
from tests.unit.commands.conftest import Corpora


def run(*line: object) -> Result:
    return CliRunner().invoke(app, [str(part) for part in line])


def folder(
    path: Path, right: float, seed: int, *, protocols: tuple[str, ...] = ("honest", "paper"), clips: int = 70
) -> Path:
    """What `nrdfer evaluate --out` leaves, of a network that is right about a share of the clips."""
    rng = np.random.default_rng(seed)
    path.mkdir(parents=True)
    truth = np.arange(clips) % 7
    told = np.where(rng.random(clips) < right, truth, rng.integers(0, 7, clips))
    names = np.array(EMOTIONS)
    table = pd.DataFrame(
        {"clip_id": [f"{n:05d}" for n in range(clips)], "emotion": names[truth], "predicted": names[told]}
    )
    for protocol in protocols:
        table.to_parquet(predictions_path(path, protocol))
    (path / MODEL).write_text(json.dumps({"model": "nr-dfernet", "settings": {}, "recipe": {}}))
    (path / METRICS).write_text(json.dumps({protocol: {} for protocol in protocols}))
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NRDFER_PROFILES", raising=False)
    monkeypatch.setenv("NRDFER_PROFILE", "sample")
    return tmp_path


def test_stored_answers_are_compared_as_text_json_and_picture(home: Path) -> None:
    a, b = folder(home / "a", 0.8, 0), folder(home / "b", 0.3, 1)
    done = run("compare", a, b, "--out", home / "out", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert json.loads((home / "out" / "comparison.json").read_text()) == found
    assert (home / "out" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    (test,) = found["mcnemar"]
    assert test["p"] == pytest.approx(binomtest(test["only_a"], test["only_a"] + test["only_b"]).pvalue, abs=1e-12)
    assert len(found["only_a_right"]) == test["only_a"] and len(found["only_b_right"]) == test["only_b"]
    assert all(clip["a"] == clip["emotion"] != clip["b"] for clip in found["only_a_right"])
    war = next(d for d in found["differences"] if d["measure"] == "WAR")
    assert war["a_minus_b"] == pytest.approx(found["a"]["WAR"] - found["b"]["WAR"])
    text = run("compare", a, b).stdout
    assert f"only A right: {test['only_a']} clips: {found['only_a_right'][0]['clip_id']}" in text
    assert "McNemar (exact)" in text and "disgust" in text


def test_clips_that_give_no_interval_are_no_certainty(home: Path) -> None:
    """Both answer every clip alike: the difference is 0, and drawing clips again says nothing of other ones."""
    a, b = folder(home / "a", 0.8, 0), folder(home / "b", 0.8, 0)
    for difference in json.loads(run("compare", a, b, "--json").stdout)["differences"]:
        assert (difference["a_minus_b"], difference["low"], difference["high"]) == (0, None, None)
        assert difference["note"].startswith("no interval: the two differ alike on all clips")
    assert "WAR, UAR, happiness" in run("compare", a, b).stdout.replace("UAR, WAR", "WAR, UAR")


def test_what_cannot_be_compared_is_refused_in_words(home: Path) -> None:
    a, fewer = folder(home / "a", 0.8, 0), folder(home / "fewer", 0.8, 0, clips=68)
    lastly, best = (folder(home / name, 0.5, 1, protocols=(name,)) for name in ("honest", "paper"))
    for line, words in (
        ((a, fewer), "2 clips, 00068, 00069; 68 are common to both"),
        ((lastly, best), "holds answers under the protocol paper only"),
        ((best, lastly, "--protocol", "paper"), "holds answers under the protocol honest only"),
        ((a, home), "is nothing that can be compared"),
        ((a, home / "nowhere"), "is nothing that can be compared"),
        ((a, "table_1/z"), "it has a, b, c"),
        ((a, "table_1/h"), "not evaluated on all its splits"),
        ((a, a, "--protocol", "best"), "there is no protocol 'best'"),
        ((a, "models:/nr-dfernet-dfew@fd1", "--protocol", "paper"), "is a registered version, which is the last epoch"),
    ):
        done = run("compare", *line)
        assert done.exit_code == 1, line
        assert words in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_damaged_answers_are_refused_and_a_users_files_stay(home: Path) -> None:
    a, b = folder(home / "a", 0.8, 0), folder(home / "b", 0.8, 1)
    (home / "out").mkdir()
    (home / "out" / "comparison.png").write_bytes(b"mine")
    done = run("compare", a, b, "--out", home / "out")
    assert done.exit_code == 1 and "it is left unchanged" in done.stderr
    assert [path.name for path in (home / "out").iterdir()] == ["comparison.png"]
    predictions_path(b, "honest").write_bytes(b"PAR1 no more")
    assert "cannot be read" in run("compare", a, b).stderr
    twice = pd.read_parquet(predictions_path(a, "honest"))
    pd.concat([twice, twice]).to_parquet(predictions_path(b, "honest"))
    assert "holds a clip twice" in run("compare", a, b).stderr


@pytest.mark.slow
def test_trainings_without_answers_are_evaluated_on_their_own_split(corpora: Corpora) -> None:
    root = corpora.root
    for name, seed in (("a", 0), ("b", 1)):
        line = ("train", "fd1", "--out", root / name, *corpora.dfew, "--no-track", "--set", f"seed={seed}")
        assert run(*line).exit_code == 0
    done = run("compare", root / "a", root / "b", *corpora.dfew, "--json")
    assert done.exit_code == 0, done.output
    assert "predicting 7 clips of fd1" in done.stderr
    assert json.loads(done.stdout)["clips"] == 7
    other = json.loads((root / "folds.json").read_text())
    other["1"], other["2"] = other["2"], other["1"]
    shutil.copy(root / "folds.json", root / "others.json")
    (root / "others.json").write_text(json.dumps(other))
    shards = corpora.dfew[: corpora.dfew.index("--folds")]
    done = run("compare", root / "a", root / "b", *shards, "--folds", root / "others.json")
    assert done.exit_code == 1
    assert "was trained with other lists of clips than fd1 has" in done.stderr
