"""A whole project that was moved, and whose MLflow database was lost, closes again: every link, every model."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from devtools.tiny_project import execute
from nrdfer.registry import find_weights
from tests.end_to_end.commands import Run, called, inside, typed

CHAMPION = "models:/nr-dfernet-dfew@champion"


def test_a_moved_project_closes_and_so_does_one_whose_database_was_lost(reproduced: Run, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(reproduced[0], folder, symlinks=True)
    places = {"NRDFER_HOME": str(folder / ".nrdfer"), "NRDFER_PROFILES": str(folder / "profiles")}
    moved = (folder, {**reproduced[1], **places}, "")
    # in processes of their own, which open the database that is lost afterwards
    done = typed(moved, "lineage", "--all")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert str(reproduced[0]) + "/" not in done.stdout
    code = f"from nrdfer.registry import find_weights; print(find_weights({CHAMPION!r})[0])"
    told = subprocess.run([sys.executable, "-c", code], cwd=folder, env=moved[1], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert Path(told.stdout.strip()).is_relative_to(folder)

    (folder / ".nrdfer" / "mlflow.db").unlink()
    shutil.rmtree(folder / ".nrdfer" / "mlartifacts")
    again = execute(*moved[:2])
    assert again.returncode == 0, again.stderr[-4000:]
    done = called(moved, "lineage", "--all")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "broken links: 0"), done.stdout[-3000:]
    with inside(moved):
        assert find_weights(CHAMPION)[0].is_relative_to(folder)
