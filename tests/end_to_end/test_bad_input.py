"""What a researcher sees when the job cannot run: the reasons together, in plain words, and a non-zero exit."""

from __future__ import annotations

from pathlib import Path

from devtools.dagster_history import reasons
from devtools.tiny_project import execute, make_project


def test_the_reasons_stand_together(tmp_path: Path) -> None:
    environment = make_project(tmp_path)
    del environment["NRDFER_PROFILES"]
    environment["NRDFER_PROFILE"] = "paper"
    done = execute(tmp_path, environment)
    assert done.returncode != 0
    told = reasons(done.stdout + done.stderr)
    assert "Set NRDFER_AFEW_ROOT=/path/to/AFEW" in told
    assert "Set NRDFER_DFEW_ROOT=/path/to/DFEW" in told
    assert "weights of enlightengan: profile paper: " in told  # all at once, before any step
    assert "STEP_START" not in done.stderr and "NotReadyError" in done.stderr
    assert not (tmp_path / ".nrdfer" / "store" / "report").exists()


def test_a_half_copied_corpus_and_weights_that_are_none(tmp_path: Path) -> None:
    environment = make_project(tmp_path)
    del environment["NRDFER_PROFILES"]
    (tmp_path / "AFEW" / "Train_AFEW" / "Happy").mkdir(parents=True)
    (tmp_path / "DFEW" / "Clip" / "clip_224x224").mkdir(parents=True)
    environment |= {
        "NRDFER_PROFILE": "paper",
        "NRDFER_AFEW_ROOT": str(tmp_path / "AFEW"),
        "NRDFER_DFEW_ROOT": str(tmp_path / "DFEW"),
    }
    done = execute(tmp_path, environment)
    assert done.returncode != 0
    _, _, summary = (done.stdout + done.stderr).partition("what stopped this run:\n")
    assert "the copy is incomplete: copy or unpack Val_AFEW" in summary
    assert "EmoLabel_DataSplit" in summary
