"""Corpora beside the paper's, rendered small in their real layouts, and a user's own, as the page says: each whole."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

from devtools.tiny_project import PROJECT, make_project
from nrdfer.corpora.registry import find_corpus
from tests.end_to_end.serving import ask, served
from tests.unit.acting import act

PAGE = (PROJECT / "docs" / "own_data.md").read_text()
#: Corpus -> clips of a batch; its registered model answers with all its emotions.
CORPORA = {"ferv39k": 7, "mafw": 11, "cremad": 6, "ravdess": 8}
#: Loads the registered model without the graph, as a user would, and prints the columns of an answer.
_ASK = """
import json, sys, numpy as np
from nrdfer.serving.registered_model import load_registered
model = load_registered(f"models:/{sys.argv[1]}@champion")
row = model.predict({"clip": np.zeros((1, 16, 3, 48, 48), np.float32)})
print(json.dumps([sorted(row.columns), [c.name for c in model.metadata.signature.outputs]]))
"""


def run(folder: Path, environment: dict[str, str], *line: str) -> str:
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout


def project(folder: Path, name: str, batch: int) -> dict[str, str]:
    recipe = {"name": "sample", "epochs": 1, "batch": batch}
    return make_project(folder, recipes={name: recipe}, enhance="none", align={"max_side": 320})


def evaluated(folder: Path, asset: str) -> dict[str, object]:
    """Metrics of the honest protocol of the only evaluation of an asset."""
    (path,) = (folder / ".nrdfer" / "store").glob(f"{asset}/*/metrics.json")
    metrics: dict[str, object] = json.loads(path.read_text())["honest"]
    return metrics


@pytest.mark.parametrize("name", list(CORPORA))
def test_a_corpus_goes_from_its_files_to_a_model_of_its_emotions(name: str, tmp_path: Path) -> None:
    corpus = find_corpus(name)
    environment = project(tmp_path / "project", name, CORPORA[name])
    run(tmp_path / "project", environment, "dagster", "job", "execute", "-j", f"{name}_reproduction")
    whole = corpus.asset("cross_validation") if len(corpus.splits) > 1 else corpus.asset("evaluation", name)
    metrics = evaluated(tmp_path / "project", whole)
    assert list(metrics["recalls"]) == list(corpus.emotions)  # type: ignore[call-overload]
    assert np.shape(metrics["confusion"]) == (len(corpus.emotions), len(corpus.emotions))  # type: ignore[arg-type]
    asked = run(tmp_path / "project", environment, "python", "-c", _ASK, f"nr-dfernet-{name}")
    columns, signature = json.loads(asked.splitlines()[-1])
    answered = {c.removeprefix("probability_") for c in columns if c.startswith("probability_")}
    assert answered == set(corpus.emotions) and set(signature) == set(columns)
    if name == "mafw":  # the largest label set
        with served((tmp_path / "project", environment, ""), f"models:/nr-dfernet-{name}@champion") as address:
            rows = ask(address, {"inputs": {"clip": np.full((2, 16, 3, 48, 48), 0.5).tolist()}})
        for what in ("probability", "logit"):
            assert [f"{what}_{emotion}" for emotion in corpus.emotions] == [c for c in rows if c.startswith(f"{what}_")]
        assert len(corpus.emotions) == 11 and set(rows["emotion"]) <= set(corpus.emotions)


def test_own_data_as_the_page_says(tmp_path: Path) -> None:
    (table,) = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    (line,) = re.findall(r"^nrdfer corpus add .*--csv .*$", PAGE, re.MULTILINE)
    name = shlex.split(line)[3]
    environment = project(tmp_path / "project", name, 2)
    folder = tmp_path / "project"
    (folder / "labels.csv").write_text(table)
    for number, row in enumerate(table.splitlines()[1:]):
        (folder / "clips").mkdir(exist_ok=True)
        act(folder / row.split(",")[0], face=20 + number, empty=0)
    told = run(folder, environment, *shlex.split(line))
    assert "studio: 4 videos, 2 labels, 2 folds" in told and "trainings: studio1, studio2" in told
    assert "people are in training and in test" not in told  # folds are of people
    (settings,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    settings = settings.replace("profile: paper", "profile: tiny").replace("batch: 8", "batch: 2, epochs: 1")
    (folder / "studio.yaml").write_text(settings)
    (line,) = re.findall(r"^nrdfer run .*?(?=\s+#)", PAGE, re.MULTILINE)
    run(folder, environment, *shlex.split(line))
    assert list(evaluated(folder, f"{name}/cross_validation")["recalls"]) == ["joy", "neutral"]  # type: ignore[call-overload]
    assert f"{name} " in run(folder, environment, "nrdfer", "corpus", "list")
    run(folder, environment, "nrdfer", "corpus", "remove", name)
    assert (folder / "clips" / "anna_01.mp4").is_file()
    assert f"{name} " not in run(folder, environment, "nrdfer", "corpus", "list")
