"""Options and folders of all trials on the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools.chaos.trials import Trial, arguments, conclude, same_sources, work_folder


def test_a_folder_of_somebody_else_is_not_worked_in(tmp_path: Path) -> None:
    (tmp_path / "mine" / "shadow").mkdir(parents=True)
    parser = arguments("", 1)
    given = parser.parse_args(["--folder", str(tmp_path / "mine")])
    with pytest.raises(SystemExit, match="mine holds files that no script"), work_folder(given):
        pytest.fail("it was taken")
    given = parser.parse_args(["--folder", str(tmp_path / "new")])
    for _ in range(2):  # what the first left there is its own
        with work_folder(given) as folder:
            assert folder == tmp_path / "new"
            (folder / "shadow").mkdir(exist_ok=True)


def test_a_file_of_an_earlier_call_is_written_again(tmp_path: Path) -> None:
    parser = arguments("", 1)
    for seed in ("1", "2"):
        given = parser.parse_args(["--json", str(tmp_path / "told.json"), "--seed", seed])
        conclude(given, "identical", [])
        assert f'"seed": {seed}' in (tmp_path / "told.json").read_text()


def test_one_bad_trial_is_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        conclude(arguments("", 2).parse_args([]), "identical", [Trial(1), Trial(2, complaints=["processes are left"])])
    assert ended.value.code == 1
    assert capsys.readouterr().out == "identical: 1 of 2\n"


def test_trials_of_other_sources_are_not_compared(tmp_path: Path) -> None:
    (tmp_path / "project" / "assets").mkdir(parents=True)
    folder, source = tmp_path / "trials", tmp_path / "project" / "assets" / "report.py"
    folder.mkdir()
    source.write_text("TITLE = 1\n")
    for _ in range(2):
        same_sources(folder, tmp_path / "project")
    source.write_text("TITLE = 2\n")
    with pytest.raises(SystemExit, match="holds trials of other sources"):
        same_sources(folder, tmp_path / "project")
