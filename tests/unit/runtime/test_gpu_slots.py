"""Places on devices: the emptiest first, never one too many, and free again however their holder ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nrdfer.core.errors import ProfileError
from nrdfer.runtime.gpu_slots import claim

GPUS = ["GPU-a", "GPU-b", "GPU-c"]
HOLDER = """
import sys
from pathlib import Path
from nrdfer.runtime.gpu_slots import claim

with claim(sys.argv[3:], int(sys.argv[2]), Path(sys.argv[1])) as chosen:
    print(*(sys.argv[3:][index] for index in chosen), flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def holder(folder: Path, devices: list[str], count: int = 1) -> Iterator[subprocess.Popen[str]]:
    """A process that claims, says what it got, and holds it until its input ends."""
    words = [sys.executable, "-c", HOLDER, str(folder), str(count), *devices]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.communicate(timeout=60)


def told(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_every_device_once_before_any_twice(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(claim(GPUS, 1, tmp_path))[0] for _ in range(7)]
    assert taken == [0, 1, 2, 0, 1, 2, 0]


def test_a_place_that_was_given_back_is_the_next_taken(tmp_path: Path) -> None:
    with claim(GPUS, 1, tmp_path) as first, claim(GPUS, 1, tmp_path) as second:
        with claim(GPUS, 1, tmp_path) as third:
            assert (first, second, third) == ([0], [1], [2])
        with claim(GPUS, 1, tmp_path) as again:
            assert again == [2]
    with claim(GPUS, 1, tmp_path) as fresh:
        assert fresh == [0]


def test_the_one_with_fewer_users_is_taken_whichever_place_is_free(tmp_path: Path) -> None:
    with contextlib.ExitStack() as second:
        with claim(GPUS[:1], 1, tmp_path):
            second.enter_context(claim(GPUS[:1], 1, tmp_path))
        with claim(GPUS[:2], 1, tmp_path) as chosen:  # the first device's place 0 is free, its place 1 is not
            assert chosen == [1]


def test_several_devices_at_once(tmp_path: Path) -> None:
    with claim(GPUS, 1, tmp_path) as one:
        assert one == [0]
        with claim(GPUS, 2, tmp_path) as two, claim(GPUS, 3, tmp_path) as three:
            assert two == [1, 2]
            assert three == [0, 1, 2]


def test_processes_that_start_together_do_not_meet(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(holder(tmp_path, GPUS)) for _ in range(6)]
        taken = Counter(name for process in started for name in told(process))
    assert taken == dict.fromkeys(GPUS, 2)


def test_what_a_device_is_called_elsewhere_does_not_matter(tmp_path: Path) -> None:
    with holder(tmp_path, ["GPU-b", "GPU-a"]) as process:  # it sees them in another order, and not all of them
        assert told(process) == ["GPU-b"]
        with claim(GPUS, 2, tmp_path) as chosen:
            assert [GPUS[index] for index in chosen] == ["GPU-a", "GPU-c"]


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM])
def test_a_holder_that_died_holds_nothing(tmp_path: Path, kind: signal.Signals) -> None:
    with holder(tmp_path, GPUS, 2) as process:
        assert told(process) == ["GPU-a", "GPU-b"]
        with claim(GPUS, 1, tmp_path) as chosen:
            assert chosen == [2]
        os.kill(process.pid, kind)
        process.wait(timeout=60)
        with claim(GPUS, 2, tmp_path) as chosen:
            assert chosen == [0, 1]


@pytest.mark.parametrize(("devices", "count"), [([], 1), (GPUS, 4), (GPUS, 0), (["GPU-a", "GPU-a"], 1)])
def test_more_than_there_is(tmp_path: Path, devices: list[str], count: int) -> None:
    with (
        pytest.raises(ProfileError, match=f"{count} devices are requested, of {len(devices)}"),
        claim(devices, count, tmp_path),
    ):
        pass


def test_an_id_is_no_path(tmp_path: Path) -> None:
    with claim(["../../x"], 1, tmp_path / "slots") as chosen:
        assert chosen == [0]
    assert [path.name for path in tmp_path.iterdir()] == ["slots"]


def test_a_folder_in_the_place_of_a_slot_ends_no_start(tmp_path: Path) -> None:
    with claim(GPUS[:1], 1, tmp_path):
        pass
    (slot,) = (path for path in tmp_path.iterdir() if path.name.startswith(GPUS[0]))
    slot.unlink()
    (slot / "inside").mkdir(parents=True)
    with claim(GPUS[:1], 1, tmp_path) as chosen:
        assert chosen == [0]
    assert len(list((tmp_path / ".damaged").iterdir())) == 1
