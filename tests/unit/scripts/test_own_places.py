"""The trials' options write over no file, and clear no folder, that somebody else made."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


@pytest.fixture
def chaos_trials(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("chaos_trials")


def test_a_folder_of_somebody_else_is_refused_as_it_is(tmp_path: Path, chaos_trials: ModuleType) -> None:
    (tmp_path / "mine" / "shadow").mkdir(parents=True)
    given = argparse.Namespace(folder=tmp_path / "mine")
    with pytest.raises(SystemExit, match="mine holds files that no script"), chaos_trials.work_folder(given):
        pytest.fail("it was taken")
    assert [path.name for path in (tmp_path / "mine").rglob("*")] == ["shadow"]
    given.folder = tmp_path / "new"
    for _ in range(2):  # what the first left there is its own
        with chaos_trials.work_folder(given) as folder:
            (folder / "shadow").mkdir(exist_ok=True)


@pytest.mark.parametrize("name", ["chaos_power", "chaos_train", "chaos_tracking"])
@pytest.mark.parametrize("link", [True, False])
def test_a_file_of_somebody_else_is_refused_before_the_work(
    name: str, link: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    script = importlib.import_module(name)
    monkeypatch.setattr("tempfile.TemporaryDirectory", lambda **_: pytest.fail("it began"))
    mine, given = tmp_path / "thesis.json", tmp_path / "given.json"
    mine.write_text("two years")
    if link:
        given.symlink_to(mine)
    else:
        given.write_text("two years")
    monkeypatch.setattr("sys.argv", [name, "--json", str(given)])
    with pytest.raises(SystemExit) as ended:
        script.main()
    assert ended.value.code == 2
    assert "it is left as it is" in capsys.readouterr().err
    assert given.read_text() == mine.read_text() == "two years"


def test_a_file_of_an_earlier_call_is_written_again(tmp_path: Path, chaos_trials: ModuleType) -> None:
    parser = chaos_trials.arguments("", 1)
    for seed in ("1", "2"):
        given = parser.parse_args(["--json", str(tmp_path / "told.json"), "--seed", seed])
        chaos_trials.conclude(given, "identical", [])
        assert f'"seed": {seed}' in (tmp_path / "told.json").read_text()
