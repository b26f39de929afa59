from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from tests.unit.commands.conftest import Corpora

runner = CliRunner()


def test_every_split_is_told_and_every_pair_written(corpora: Corpora) -> None:
    out = corpora.root / "leaks"
    done = runner.invoke(app, ["corpus", "leaks", "dfew", "--split", "fd1", *corpora.dfew, "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told == json.loads((out / "leaks.json").read_text())
    assert told["fd1"]["train"] == 14 and told["fd1"]["test"] == 7 and told["fd1"]["figures"] == {}
    line = runner.invoke(app, ["corpus", "leaks", "dfew", "--split", "fd1", *corpora.dfew]).stdout
    assert line.startswith("fd1: ") and "of 7 test clips" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rendered"], "is not divided into training and test clips"),
        (["nothing"], "there is no corpus 'nothing'"),
        (["dfew", "--split", "fd9"], "DFEW has no split 'fd9'"),
        (["dfew", "--evaluation", "here"], "--evaluation is of one split: give --split, too"),
        (["dfew", "--split", "fd1", "--evaluation", "nowhere"], "nowhere holds no metrics.json"),
        (["dfew"], "dfew/shards has not been made"),
    ],
)
def test_what_cannot_be_meant(corpora: Corpora, words: list[str], message: str) -> None:
    given = corpora.dfew if "fd1" in words else []
    done = runner.invoke(app, ["corpus", "leaks", *words, *given])
    assert done.exit_code == 1 and message in done.output and done.output.count("\n") == 1
