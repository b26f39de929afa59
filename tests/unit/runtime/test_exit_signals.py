from __future__ import annotations

import re
from pathlib import Path

import pytest

from nrdfer.runtime.exit_signals import in_words, out_of_memory_kills


@pytest.mark.parametrize(
    ("code", "kills", "words"),
    [
        (-9, 2, r"signal 9 \(SIGKILL\): memory ran out .* 2 processes .* Lower .*workers"),
        (-9, 0, r"signal 9 \(SIGKILL\), most often because memory ran out .*counted none.* lower .*batch"),
        (-9, None, r"signal 9 \(SIGKILL\), most often because memory ran out\. If so, lower .*max_concurrent"),
        (-11, 0, r"signal 11 \(SIGSEGV\): a library crashed"),
        (-15, 0, r"signal 15 \(SIGTERM\); it was ended on request"),
        (-250, 0, r"signal 250 \(of no name\)"),
        (3, 0, "ended with status 3"),
    ],
)
def test_a_killed_process_is_told_with_its_signal_and_what_to_lower(code: int, kills: int | None, words: str) -> None:
    assert re.search(words, in_words(code, kills))


def test_the_kernels_count_is_read_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "vmstat").write_text("nr_free 5\noom_kill 7\nzone 1\n")
    (tmp_path / "other").write_text("oom_kill_disable 0\n")
    assert out_of_memory_kills((tmp_path / "vmstat", tmp_path / "other", tmp_path / "missing")) == 7
    assert out_of_memory_kills((tmp_path / "other", tmp_path / "missing")) is None
