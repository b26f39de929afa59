"""Builders of one artefact: killed, waited for, alive on another's behalf; what is visible is whole."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from nrdfer.store import Artifact, Store
from nrdfer.store.abandoned import temporary_name
from tests.unit.store.building import HANGS, Writer, make, script, visible


def test_kill_9_in_the_middle_of_writing_leaves_nothing_visible(tmp_path: Path) -> None:
    builder = script(HANGS, str(tmp_path))
    assert builder.stdout is not None
    assert builder.stdout.readline() == "writing\n"
    builder.send_signal(signal.SIGKILL)
    builder.communicate()
    store = Store(tmp_path)
    assert store.find("dfew/fd1/checkpoint") == []
    assert [Path(name).name[:5] for name in visible(tmp_path)] == [".tmp-"]
    artifact = make(store, Writer(), lr=5)  # another digest: it cleans up after the dead one all the same
    assert visible(tmp_path) == [f"dfew/fd1/checkpoint/{artifact.digest}"]
    build = Writer()
    assert make(store, build).up_to_date is False
    assert build.runs == 1


def test_kill_9_at_many_moments_never_shows_a_half_artefact(tmp_path: Path) -> None:
    body = """
        def build(out):
            print("go", flush=True)
            for i in range(10):
                (out / f"{i}.bin").write_bytes(os.urandom(20_000))
            return {}
        while True:
            make(build, n=time.time_ns())
    """
    store, whole = Store(tmp_path), 0
    for i in range(6):
        builder = script(body, str(tmp_path))
        assert builder.stdout is not None
        for _ in range(1 + i % 2):  # the second "go" comes after one artefact was published
            builder.stdout.readline()
        time.sleep(0.011 * i)
        builder.kill()
        builder.communicate()
        for path in (tmp_path / "dfew" / "fd1" / "checkpoint").iterdir():
            if not path.name.startswith(".tmp-"):
                store.open("dfew/fd1/checkpoint", path.name, verify="full")
                whole += 1
    make(store, Writer())
    assert not [name for name in visible(tmp_path) if ".tmp-" in name]
    assert whole >= 3


def test_a_living_builder_is_left_alone_and_waited_for(tmp_path: Path) -> None:
    body = """
        def build(out):
            print("writing", flush=True)
            sys.stdin.readline()
            (out / "by").write_text("first")
            return {}
        make(build)
    """
    first = script(body, str(tmp_path), stdin=subprocess.PIPE)
    assert first.stdout is not None
    first.stdout.readline()
    make(Store(tmp_path), Writer(), lr=9)  # cleans the same folder, must not touch the living one's
    assert any(".tmp-" in name for name in visible(tmp_path))
    second = script(
        """
        import logging
        logging.basicConfig(level=logging.INFO)
        def build(out):
            (out / "by").write_text("second")
            return {}
        artifact = make(build)
        print(artifact.up_to_date, (artifact.path / "by").read_text())
        """,
        str(tmp_path),
    )
    assert second.stderr is not None
    assert "waiting for it" in second.stderr.readline()
    assert second.poll() is None
    _, errors = first.communicate("go\n")
    assert first.returncode == 0, errors
    said, errors = second.communicate(timeout=60)
    assert said.split() == ["True", "first"], errors


def test_the_waiting_builder_takes_over_when_the_first_is_killed(tmp_path: Path) -> None:
    first = script(HANGS, str(tmp_path))
    assert first.stdout is not None
    first.stdout.readline()
    second = script(
        """
        def build(out):
            (out / "by").write_text("second")
            return {}
        print("asked", flush=True)
        print(make(build).up_to_date)
        """,
        str(tmp_path),
    )
    assert second.stdout is not None
    second.stdout.readline()
    time.sleep(0.2)
    assert second.poll() is None
    first.kill()
    first.communicate()
    said, errors = second.communicate(timeout=60)
    assert said.strip() == "False", errors
    assert not [name for name in visible(tmp_path) if ".tmp-" in name]


def test_threads_that_ask_together_compute_once(tmp_path: Path) -> None:
    build = Writer()
    results: list[Artifact] = []
    threads = [threading.Thread(target=lambda: results.append(make(Store(tmp_path), build))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert build.runs == 1
    assert sorted(artifact.up_to_date for artifact in results) == [False] + [True] * 7


@pytest.mark.parametrize("lease", ["0" * 32, "4194304-1.00"])  # the second as earlier releases wrote it
def test_a_temporary_folder_of_an_unseen_but_locking_process_is_left(tmp_path: Path, lease: str) -> None:
    """A builder with another project folder has a lease that is not to be seen here, but its lock is."""
    import fcntl

    other = "ab" * 32
    folder = tmp_path / "dfew" / "fd1" / "checkpoint" / f".tmp-{other}-{lease}"
    folder.mkdir(parents=True)
    lock = tmp_path / ".locks" / f"{other}.lock"
    lock.parent.mkdir()
    with lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        make(Store(tmp_path), Writer())
        assert folder.is_dir()
    make(Store(tmp_path), Writer())
    assert not folder.exists()


def test_a_temporary_folder_whose_builders_lease_is_held_is_left_although_its_lock_is_free(tmp_path: Path) -> None:
    """As seen from another host on a file system whose locks are local to a machine, until it is silent."""
    folder = tmp_path / "dfew" / "fd1" / "checkpoint" / temporary_name("ab" * 32)
    folder.mkdir(parents=True)
    make(Store(tmp_path), Writer())
    assert folder.is_dir()
