"""Commands that take a registered version read a copy that was compared, never the folder that others can write to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.models.registry import build_model
from nrdfer.models.saved_model import cpu_weights, write_description, write_weights
from nrdfer.models.trained_files import BEST, LAST
from nrdfer.registry import Opened, loading, tags
from nrdfer.registry.file_lists import file_problems
from nrdfer.store import file_sha256
from tests.unit.commands.conftest import NETWORK, Corpora

VERSION = "models:/m/1"


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """The project's own files of a version: a network that was not trained."""
    folder = tmp_path / "version" / "artifacts"
    folder.mkdir(parents=True)
    write_weights(folder / LAST, cpu_weights(build_model("nr-dfernet", NETWORK)))
    write_description(folder, "nr-dfernet", NETWORK, {"sampling": {}})
    return folder


@pytest.fixture
def after_the_check(version: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Open the version as the registry does, and then do something to its folder."""
    listed = {f"artifacts/{path.name}": file_sha256(path) for path in version.iterdir()}
    root = version.parent

    def arrange(change: Callable[[], object]) -> None:
        def opened(*_: object) -> Opened:
            assert not file_problems(root, listed)
            change()
            return Opened("m", "1", "r", "i", root, {tags.FILES: json.dumps(listed)})

        monkeypatch.setattr(loading, "open_version", opened)

    return arrange


def lines(corpora: Corpora) -> dict[str, list[str]]:
    return {
        "evaluate": ["evaluate", VERSION, *corpora.dfew, "--split", "fd1", "--protocol", "honest"],
        "train": ["train", "fd1", *corpora.dfew, "--out", str(corpora.root / "out"), "--initial", VERSION,
                  "--set", "epochs=1", "--no-track"],
    }  # fmt: skip


@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_exchanged_weights_are_refused(
    corpora: Corpora, version: Path, after_the_check: Callable[[Callable[[], object]], None], command: str
) -> None:
    other = cpu_weights(build_model("nr-dfernet", NETWORK))
    after_the_check(lambda: write_weights(version / LAST, other))
    done = CliRunner().invoke(app, lines(corpora)[command])
    assert done.exit_code == 1, done.output
    assert "was exchanged while it was being opened" in done.output
    assert not (corpora.root / "out").exists()


def test_files_of_no_list_are_not_looked_at(
    corpora: Corpora, version: Path, after_the_check: Callable[[Callable[[], object]], None]
) -> None:
    def add() -> None:
        (version / "training.json").write_text('{"split": "fd3"}')
        shutil.copy(version / LAST, version / BEST)

    after_the_check(add)
    done = CliRunner().invoke(app, lines(corpora)["evaluate"])
    assert done.exit_code == 0, done.output
    assert "trained on fd3" not in done.output
    for added in (BEST, "training.json"):
        (version / added).unlink()
    paper = CliRunner().invoke(app, [*lines(corpora)["evaluate"], "--protocol", "paper"])
    assert paper.exit_code == 1
    assert f"no weights of the protocol paper ({BEST}" in paper.output


def test_a_training_starts_from_the_copy(
    corpora: Corpora, version: Path, after_the_check: Callable[[Callable[[], object]], None]
) -> None:
    after_the_check(lambda: None)
    registered = file_sha256(version / LAST)
    done = CliRunner().invoke(app, lines(corpora)["train"])
    assert done.exit_code == 0, done.output
    assert json.loads((corpora.root / "out" / "training.json").read_text())["initial"] == registered
