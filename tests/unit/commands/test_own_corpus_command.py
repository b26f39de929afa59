"""``nrdfer corpus add`` and ``remove``: what is printed, and that a refused table adds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from nrdfer.cli import app

runner = CliRunner()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    for name in ("joy", "neutral"):
        (tmp_path / "clips" / name).mkdir(parents=True)
        for number in range(4):
            (tmp_path / "clips" / name / f"{number}.mp4").write_bytes(f"{name}{number}".encode())
    lines = [f"clips/{name}/{number}.mp4,{name}" for name in ("joy", "neutral") for number in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(["video,label", *lines, ""]))
    return tmp_path


def add(project: Path, *words: str, name: str = "studio") -> Result:
    return runner.invoke(app, ["corpus", "add", name, *words])


def test_a_table_and_a_folder_give_the_same_corpus(project: Path) -> None:
    table = add(project, "--csv", str(project / "labels.csv"), "--folds", "2")
    folder = add(project, "--folder", str(project / "clips"), "--folds", "2", name="other_one")
    assert table.exit_code == folder.exit_code == 0, table.output + folder.output
    assert table.stdout.splitlines()[0] == "studio: 8 videos, 2 labels, 2 folds"
    assert [line.split() for line in table.stdout.splitlines()[1:4]] == [
        ["clips", "joy", "neutral"],
        ["fold", "1", "train", "4", "2", "2"],
        ["fold", "1", "test", "4", "2", "2"],
    ]
    assert table.stdout.replace("studio", "other_one") == folder.stdout
    assert "warning: few clips: joy 4, neutral 4" in table.stdout


def test_a_corpus_is_replaced_and_forgotten_only_when_asked(project: Path) -> None:
    table = ("--csv", str(project / "labels.csv"), "--folds", "2")
    assert add(project, *table).exit_code == 0
    again = add(project, *table)
    assert again.exit_code == 1 and "a corpus studio was added before" in again.output
    merged = add(project, *table, "--label", "joy=happy", "--replace")
    assert merged.exit_code == 0 and "happy" in merged.stdout
    assert runner.invoke(app, ["corpus", "remove", "studio"]).exit_code == 0
    assert not (project / "home" / "corpora" / "studio").exists()
    assert (project / "clips" / "joy" / "0.mp4").is_file()
    missing = runner.invoke(app, ["corpus", "remove", "studio"])
    assert missing.exit_code == 1 and "no corpus 'studio' was added to this project" in missing.output


def test_missing_clips_are_left_out_with_a_warning(project: Path) -> None:
    (project / "clips" / "joy" / "3.mp4").unlink()
    done = add(project, "--csv", str(project / "labels.csv"), "--folds", "2")
    assert "studio: 7 videos" in done.stdout
    assert "warning: 1 clips are not there and left out, e.g. labels.csv, line 5: " in done.stdout


@pytest.mark.parametrize(
    ("words", "name", "message"),
    [
        ((), "studio", "give either --csv, a table of clips, or --folder"),
        (("--csv", "labels.csv"), "Studio", "'Studio' cannot be the name of a corpus"),
        (("--csv", "labels.csv"), "mafw", "mafw is a name of MAFW"),
        (("--csv", "labels.csv"), "fd", "fd1 is a name of DFEW; give your corpus another name than fd"),
        (("--csv", "labels.csv"), "noise", "noise is a name of other assets"),
        (("--csv", "labels.csv"), "full", "full is a name of other assets"),
        (("--csv", "labels.csv", "--test", "train"), "studio", "--test train: give val or test"),
        (("--csv", "labels.csv", "--test", "val"), "studio", "for a table with a column split"),
        (("--csv", "labels.csv", "--label", "joy"), "studio", "give the old and the new name, --label OLD=NEW"),
        (("--csv", "labels.csv", "--folds", "9"), "studio", "too few for 9 folds"),
        (("--csv", "gone.csv"), "studio", "gone.csv"),
    ],
)
def test_what_cannot_be_added(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], name: str, message: str
) -> None:
    monkeypatch.chdir(project)
    done = add(project, *words, name=name)
    assert done.exit_code == 1 and message in done.output, done.output
    assert not (project / "home" / "corpora").exists()
