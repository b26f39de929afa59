"""A whole project that was moved, and whose MLflow database was lost, closes again: every link, every model."""

from __future__ import annotations

import shutil
from pathlib import Path

from devtools.tiny_project import execute
from tests.end_to_end.test_lineage import lineage
from tests.end_to_end.test_serving import model_files

Run = tuple[Path, dict[str, str], str]
CHAMPION = "models:/nr-dfernet-dfew@champion"


def test_a_moved_project_closes_and_so_does_one_whose_database_was_lost(reproduced: Run, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(reproduced[0], folder, symlinks=True)
    places = {"NRDFER_HOME": str(folder / ".nrdfer"), "NRDFER_PROFILES": str(folder / "profiles")}
    moved = (folder, {**reproduced[1], **places}, "")
    done = lineage(moved, "--all")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert str(reproduced[0]) + "/" not in done.stdout
    settings, _ = model_files(moved, CHAMPION)
    assert settings.is_relative_to(folder)

    (folder / ".nrdfer" / "mlflow.db").unlink()
    shutil.rmtree(folder / ".nrdfer" / "mlartifacts")
    again = execute(*moved[:2])
    assert again.returncode == 0, again.stderr[-4000:]
    done = lineage(moved, "--all")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "broken links: 0"), done.stdout[-3000:]
    assert model_files(moved, CHAMPION)[0].is_relative_to(folder)
