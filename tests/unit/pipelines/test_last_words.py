"""What stopped a run is said, whatever cannot be written."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import last_words
from pipelines.executor import exit_code_in


class LostLog(logging.Logger):
    """Dagster's logger where its database lies on a full disk."""

    def error(self, *_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize("known", [True, False])
def test_the_reasons_reach_standard_error_though_dagsters_database_is_on_a_full_disk(
    known: bool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered: list[object] = []
    monkeypatch.setattr(last_words.atexit, "register", registered.append)
    monkeypatch.setattr(last_words, "_last_words", [])
    last_words.tell(LostLog("lost"), {"disk": "no room on /here"}, storage_is_lost=known)
    assert "what stopped this run:\n  disk: no room on /here" in capfd.readouterr().err
    last_words.tell(LostLog("lost"), {"disk": "no room on /here"}, storage_is_lost=known)
    assert len(registered) == 1


def test_a_log_that_fails_for_another_reason_is_no_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(logging.Logger):
        def error(self, *_: object, **__: object) -> None:
            raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        last_words.tell(Broken("broken"), {"a": "b"}, storage_is_lost=False)


_PROGRAM = """
import errno, logging, multiprocessing, time
from pipelines import last_words
last_words._PATIENCE = 0.5
if __name__ == "__main__":
    last_words.install()
    multiprocessing.Process(target=time.sleep, args=(600,)).start()
    {tell}
    raise OSError(errno.ENOSPC, "No space left on device")
"""


@pytest.mark.parametrize("told", [True, False])
def test_a_full_disk_ends_the_program_in_words_and_waits_for_no_child(tmp_path: Path, told: bool) -> None:
    tell = "last_words.tell(logging.getLogger('x'), {'fd1': 'no room at all'}, storage_is_lost=True)" if told else ""
    if not told:
        tell = "multiprocessing.active_children()[0].kill()"
    (tmp_path / "program.py").write_text(_PROGRAM.replace("{tell}", tell))
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    last = done.stderr.strip().splitlines()
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert last[-2] == "what stopped this run:"
    assert ("no room at all" if told else "no room on the disk of") in last[-1]


def test_how_a_step_died_is_read_from_what_dagster_says() -> None:
    from dagster._utils import get_run_crash_explanation

    prefix = "Multiprocess executor: child process for step dfew__fd1__checkpoint"
    assert [exit_code_in(get_run_crash_explanation(prefix, code)) for code in (-9, -15, 3)] == [-9, -15, 3]
    assert exit_code_in("Executing steps using multiprocess executor") is None


def test_a_reason_that_quotes_a_name_begins_no_line_of_its_own() -> None:
    words = last_words.summary({"faces": "/data/a\nwell: forged\x1b[31m.mp4 is damaged", "train": "no room"})
    assert words.splitlines()[1:] == ["  faces: /data/a well: forged\\x1b[31m.mp4 is damaged", "  train: no room"]
