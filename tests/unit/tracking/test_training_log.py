"""A training's log: whole lines only, whatever was killed, and every line once read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from nrdfer.core.errors import TrainingError
from nrdfer.core.state_files import DAMAGED
from nrdfer.tracking import training_log
from nrdfer.tracking.training_log import LOG, TrainingLog, last_of_each, read_all, read_log, repair_log


def test_lines_come_back_with_the_offset_of_the_next(tmp_path: Path) -> None:
    path = tmp_path / "work" / "train.jsonl"
    assert read_log(path) == ([], 0)
    with TrainingLog(path, clock=lambda: 12.5) as log:
        log.write("batch", step=1, loss=0.5)
        lines, offset = read_log(path)
        assert lines == [{"kind": "batch", "time": 12.5, "step": 1, "loss": 0.5}]
        log.write("stop", reason="finished")
        log.write("stop", reason="ä")
    lines, end = read_log(path, offset)
    assert [line["reason"] for line in lines] == ["finished", "ä"]
    assert (end, read_log(path, end)) == (path.stat().st_size, ([], end))


@pytest.mark.parametrize("torn", [b'{"kind": "ba', b"\0" * 70_000])
def test_a_torn_line_is_not_read_and_is_cut_at_the_next_opening(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "train.jsonl"
    with TrainingLog(path) as log:
        log.write("batch", step=1)
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    lines, offset = read_log(path)
    assert ([line["step"] for line in lines], offset) == ([1], len(whole))
    with TrainingLog(path) as log:
        assert path.read_bytes() == whole
        log.write("batch", step=2)
    assert [line["step"] for line in read_log(path, offset)[0]] == [2]


def test_a_file_of_nothing_but_a_torn_line_becomes_empty(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b'{"kind"')
    TrainingLog(path).close()
    assert path.read_bytes() == b""


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"kind": "batch", "time": 1, "step": 1}\nnothing\n')
    with pytest.raises(TrainingError, match=r"train\.jsonl is damaged: b'nothing'.*move the file away"):
        read_log(path)


def test_small_reads_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    with TrainingLog(path) as log:
        for step in range(1, 40):
            log.write("batch", step=step, padding="x" * step)
    found, offset = [], 0
    while (answer := read_log(path, offset, most=30))[0]:
        found += [line["step"] for line in answer[0]]
        offset = answer[1]
    assert found == list(range(1, 40)) == [line["step"] for line in read_all(path)]


def test_writers_of_several_threads_and_openers_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"

    def write(writer: int) -> None:
        for step in range(50):
            with TrainingLog(path) as log:
                log.write("batch", writer=writer, step=step, padding="x" * 5000)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((line["writer"], line["step"]) for line in read_all(path)) == [
        (writer, step) for writer in range(4) for step in range(50)
    ]


def test_a_log_that_appears_while_it_is_looked_for_is_left_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, look = tmp_path / LOG, Path.stat

    def looked(self: Path, **how: Any) -> os.stat_result:
        try:
            return look(self, **how)
        except FileNotFoundError:
            if self == path:
                path.write_text('{"kind": "batch", "time": 1, "step": 1, "epoch": 1}\n')  # by another process
            raise

    monkeypatch.setattr(Path, "stat", looked)
    with TrainingLog(path) as log:
        log.write("stop", reason="one")
    assert [line["kind"] for line in read_all(path)] == ["batch", "stop"]
    assert not (tmp_path / DAMAGED).exists()


def test_a_log_that_is_repaired_while_it_is_written_keeps_every_line(tmp_path: Path) -> None:
    path = tmp_path / LOG
    with TrainingLog(path) as log:
        log.write("batch", step=1)
        with path.open("ab") as other:
            other.write(b"damaged by the disk\n")
        assert repair_log(path) == 1
        log.write("batch", step=2)
    assert [line["step"] for line in read_all(path)] == [1, 2]


def test_a_log_keeps_its_name_while_it_is_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / LOG
    path.write_bytes(b"damaged\n")
    there: list[bool] = []
    monkeypatch.setattr(
        training_log, "write_whole", lambda target, data: (there.append(path.exists()), target.write_bytes(data))
    )
    assert repair_log(path) == 1
    assert there == [True, True]


def test_a_log_of_which_no_copy_can_be_kept_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / LOG
    path.write_bytes(b"damaged\n")
    (tmp_path / DAMAGED).touch()
    with pytest.raises(TrainingError, match=r"no copy of it can be kept in .*; make that a folder"):
        TrainingLog(path)
    assert path.read_bytes() == b"damaged\n"


def test_a_log_that_cannot_be_opened_again_once_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / LOG
    with TrainingLog(path) as log:
        path.rename(tmp_path / "other")
        path.touch()
        with monkeypatch.context() as patch:
            patch.setattr(training_log, "_open", lambda _: os.open(tmp_path / "none" / "none", os.O_RDONLY))
            with pytest.raises(OSError, match="No such file"):
                log.write("batch", step=1)
        log.write("batch", step=2)
    assert [line["step"] for line in read_all(path)] == [2]


def test_a_log_whose_folder_is_moved_goes_on_there(tmp_path: Path) -> None:
    path = tmp_path / "work" / LOG
    with TrainingLog(path) as log:
        log.write("batch", step=1)
        path.parent.rename(tmp_path / "kept")
        log.write("batch", step=2)
    assert [line["step"] for line in read_all(tmp_path / "kept" / LOG)] == [1, 2]
    assert not path.parent.exists()


def test_the_last_of_a_step_logged_twice_counts() -> None:
    lines = [{"kind": "batch", "step": step, "n": n} for n, step in enumerate([1, 2, 3, 2])]
    assert {
        step: line["n"] for step, line in last_of_each([*lines, {"kind": "epoch", "step": 2}], "batch").items()
    } == {
        1: 0,
        2: 3,
        3: 2,
    }


def test_a_full_disk_leaves_no_part_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    code = f"""
import resource, signal
from pathlib import Path
from nrdfer.tracking.training_log import TrainingLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = TrainingLog(Path({str(path)!r}))
log.write("batch", step=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
try:
    log.write("batch", step=2, padding="x" * 200)
except OSError as error:
    print(error.strerror)
log.write("stop")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert (done.returncode, done.stdout) == (0, "no room for a line of the training's log\n"), done.stderr
    assert [json.loads(line)["kind"] for line in path.read_text().splitlines()] == ["batch", "stop"]


def test_a_training_goes_on_with_a_damaged_log_without_the_damaged_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / LOG
    with TrainingLog(path) as log:
        log.write("stop", reason="one")
    good = path.read_bytes()
    huge = b'{"kind": "epoch", "time": 1.0, "step": 1, "epoch": ' + b"9" * 4000 + b"}\n"
    damaged = good + b"\0" * 50 + b"\n" + b'{"kind": "batch", "time": 1.0}\n' + huge + b"torn"
    path.write_bytes(damaged)
    with TrainingLog(path) as log:
        log.write("stop", reason="two")
    assert [line["reason"] for line in read_all(path)] == ["one", "two"]
    assert f"{path} had 3 damaged lines" in caplog.text
    assert [aside.read_bytes() for aside in (tmp_path / DAMAGED).iterdir()] == [damaged]
