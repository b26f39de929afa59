"""``make clean`` removes what can be made again, and nothing that its user put there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).resolve().parents[3] / "Makefile"


def clean(folder: Path) -> str:
    shutil.copy(MAKEFILE, folder)
    return subprocess.run(["make", "clean"], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("store/a", ".hidden", "inbox", "weights"):
        (tmp_path / ".nrdfer" / name).mkdir(parents=True)
    (tmp_path / ".nrdfer" / "mlflow.db").touch()
    (tmp_path / ".dagster").mkdir()
    return tmp_path / ".nrdfer"


def test_videos_and_weights_of_the_user_are_kept(home: Path) -> None:
    yours = [home / "inbox" / "my-only-copy.mp4", home / "weights" / "200_net_G_A.pth"]
    for path in yours:
        path.write_text("mine")
    told = clean(home.parent)
    assert sorted(path for path in home.rglob("*") if path.is_file()) == yours
    assert {path.name for path in home.iterdir()} == {"inbox", "weights"}
    assert "kept .nrdfer/inbox" in told and "kept .nrdfer/weights" in told
    assert {path.name for path in home.parent.iterdir()} == {".nrdfer", "Makefile"}


def test_nothing_is_left_where_nothing_was_put(home: Path) -> None:
    for _ in range(2):  # there is nothing the second time
        assert "kept" not in clean(home.parent)
        assert [path.name for path in home.parent.iterdir()] == ["Makefile"]
