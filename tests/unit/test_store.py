"""The store: whole or not at all, whatever happens to the builder, the disk or the files."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.errors import StoreError
from nrdfer.store import MANIFEST, Artifact, Store, digest_of, file_sha256
from nrdfer.store.disk import is_disk_full

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Writer:
    """A step that writes two files and counts how often it ran."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, out: Path) -> Mapping[str, Any]:
        self.runs += 1
        (out / "sub").mkdir()
        (out / "a.bin").write_bytes(b"a" * 1000)
        (out / "sub" / "b.txt").write_text("b")
        return {"files": 2}


def make(store: Store, build: Any, asset: str = "dfew/fd1/checkpoint", **config: Any) -> Artifact:
    return store.build(asset, code_version="1", config=config, inputs={"x": "0" * 64}, build=build)


def visible(root: Path) -> list[str]:
    """Names of all published artefact folders and of all temporary ones."""
    hidden = {".locks", ".work", ".damaged"}
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_dir() and not hidden & set(path.relative_to(root).parts) and (len(path.name) >= 64)
    )


def script(body: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start a Python process that has `store` and `make` for `arguments[0]`."""
    head = """
        import os, resource, sys, time
        from pathlib import Path
        from nrdfer.store import Store
        store = Store(Path(sys.argv[1]))
        def make(build, asset="dfew/fd1/checkpoint", **config):
            return store.build(asset, code_version="1", config=config, inputs={"x": "0" * 64}, build=build)
    """
    code = textwrap.dedent(head) + textwrap.dedent(body)
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


HANGS = """
    def build(out):
        with open(out / "half.bin", "wb") as handle:
            handle.write(b"x" * 100_000)
            handle.flush()
            print("writing", flush=True)
            time.sleep(120)
        return {}
    make(build)
"""


@given(JSON)
def test_digest_depends_on_meaning_not_on_order_or_container(value: Any) -> None:
    def mirrored(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: mirrored(item[key]) for key in reversed(list(item))}
        return tuple(mirrored(part) for part in item) if isinstance(item, list) else item

    assert digest_of(mirrored(value)) == digest_of(value)
    assert digest_of([value]) != digest_of(value)


def test_digest_is_canonical_json() -> None:
    assert digest_of({"b": (1, 2), "a": "é"}) == digest_of(json.loads('{"a": "\\u00e9", "b": [1, 2]}'))
    assert digest_of(1) == "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    with pytest.raises(ValueError, match="JSON"):
        digest_of({"lr": float("nan")})


def test_build_publishes_files_and_manifest_and_runs_once(tmp_path: Path) -> None:
    store, build = Store(tmp_path), Writer()
    first = make(store, build, lr=0.1)
    again = make(store, build, lr=0.1)
    assert (first.up_to_date, again.up_to_date, build.runs) == (False, True, 1)
    assert first.path == again.path == tmp_path / "dfew" / "fd1" / "checkpoint" / first.digest
    manifest = json.loads((first.path / MANIFEST).read_text())
    assert manifest.pop("seal") == digest_of(manifest)
    assert manifest == dict(first.manifest) == dict(again.manifest)
    assert manifest["files"]["sub/b.txt"] == {"bytes": 1, "sha256": file_sha256(first.path / "sub" / "b.txt")}
    assert set(manifest["files"]) == {"a.bin", "sub/b.txt"}
    assert (manifest["bytes"], manifest["counts"], manifest["config"]) == (1001, {"files": 2}, {"lr": 0.1})
    assert manifest["provenance"]["python"].startswith("3.")
    identity = {"asset": "dfew/fd1/checkpoint", "code_version": "1", "config": {"lr": 0.1}, "inputs": {"x": "0" * 64}}
    assert first.digest == digest_of(identity)


def test_every_part_of_the_identity_makes_another_artefact(tmp_path: Path) -> None:
    store = Store(tmp_path)
    base = store.digest("a", "1", {"lr": 1}, {"x": "0"})
    others = [
        store.digest("b", "1", {"lr": 1}, {"x": "0"}),
        store.digest("a", "2", {"lr": 1}, {"x": "0"}),
        store.digest("a", "1", {"lr": 2}, {"x": "0"}),
        store.digest("a", "1", {"lr": 1}, {"x": "1"}),
    ]
    assert len({base, *others}) == 5


@pytest.mark.parametrize("asset", ["", "/a", "a/", "a//b", "../a", "a b", ".work"])
def test_asset_names_that_would_leave_the_store_are_refused(tmp_path: Path, asset: str) -> None:
    with pytest.raises(ValueError, match="asset name"):
        make(Store(tmp_path), Writer(), asset)


def test_a_failing_step_leaves_nothing_and_its_error_is_unchanged(tmp_path: Path) -> None:
    def fails(out: Path) -> Mapping[str, Any]:
        (out / "half").write_text("half")
        raise FileNotFoundError(2, "No such file or directory", "/corpus/missing.avi")

    with pytest.raises(FileNotFoundError, match=r"missing\.avi"):
        make(Store(tmp_path), fails)
    assert visible(tmp_path) == []
    build = Writer()
    make(Store(tmp_path), build)
    assert build.runs == 1


def test_a_step_may_not_write_the_manifest(tmp_path: Path) -> None:
    def claims(out: Path) -> Mapping[str, Any]:
        (out / MANIFEST).write_text("{}")
        return {}

    with pytest.raises(ValueError, match=MANIFEST):
        make(Store(tmp_path), claims)
    assert visible(tmp_path) == []


def test_open_and_find(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one, two = make(store, Writer(), lr=1), make(store, Writer(), lr=2)
    make(store, Writer(), "dfew/fd1")  # an asset whose folder holds the other asset's folder
    assert [artifact.digest for artifact in store.find("dfew/fd1/checkpoint")] == [one.digest, two.digest]
    assert len(store.find("dfew/fd1")) == 1
    assert store.find("never/made") == []
    assert store.open("dfew/fd1/checkpoint", one.digest).manifest["config"] == {"lr": 1}
    with pytest.raises(StoreError, match=r"is not in .* run the step"):
        store.open("dfew/fd1/checkpoint", "0" * 64)


def _cut(path: Path) -> None:
    (path / "a.bin").write_bytes(b"a" * 999)


def _lose(path: Path) -> None:
    (path / "sub" / "b.txt").unlink()


def _scribble(path: Path) -> None:
    (path / MANIFEST).write_text('{"files": {"a.bin": 5}}')


def _half_manifest(path: Path) -> None:
    (path / MANIFEST).write_bytes((path / MANIFEST).read_bytes()[:50])


def _no_manifest(path: Path) -> None:
    (path / MANIFEST).unlink()


@pytest.mark.parametrize("damage", [_cut, _lose, _scribble, _half_manifest, _no_manifest])
def test_a_damaged_artefact_is_moved_aside_and_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    store, build = Store(tmp_path), Writer()
    artifact = make(store, build)
    damage(artifact.path)
    with pytest.raises(StoreError, match="damaged"):
        store.open(artifact.asset, artifact.digest)
    assert store.find(artifact.asset) == []
    with caplog.at_level(logging.WARNING):
        again = make(store, build)
    assert (again.up_to_date, build.runs) == (False, 2)
    aside = list((tmp_path / ".damaged").iterdir())
    assert len(aside) == 1
    assert str(aside[0]) in caplog.text
    assert store.open(artifact.asset, artifact.digest, verify="full").digest == artifact.digest


def test_full_verification_finds_changed_bytes_and_added_files(tmp_path: Path) -> None:
    store = Store(tmp_path)
    artifact = make(store, Writer())
    (artifact.path / "a.bin").write_bytes(b"a" * 999 + b"b")
    told = store.open(artifact.asset, artifact.digest, verify="sizes")  # for those who only tell of it
    assert told.path == artifact.path
    with pytest.raises(StoreError, match=r"a\.bin has another content"):
        store.open(artifact.asset, artifact.digest)
    (artifact.path / "a.bin").write_bytes(b"a" * 1000)
    (artifact.path / "new").write_text("")
    with pytest.raises(StoreError, match="new is not in"):
        store.open(artifact.asset, artifact.digest, verify="full")


def _flip(path: Path, place: int, bit: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= bit
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["a.bin", "sub/b.txt"])
def test_an_artefact_of_which_one_bit_was_changed_was_not_up_to_date(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    build = Writer()
    artifact = make(Store(tmp_path), build)
    before = (artifact.path / name).read_bytes()
    make(Store(tmp_path), build)  # looked at in this process, and so remembered
    _flip(artifact.path / name, 0)
    assert not Store(tmp_path).is_published(artifact.asset, artifact.digest)
    again = make(Store(tmp_path), build)
    assert (again.up_to_date, build.runs) == (False, 2)
    assert f"{name} has another content" in again.repaired and ".damaged" in again.repaired
    assert again.repaired in caplog.text
    assert (artifact.path / name).read_bytes() == before
    (aside,) = (tmp_path / ".damaged").iterdir()
    assert (aside / name).read_bytes() != before


def test_a_manifest_of_which_one_bit_was_changed_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    artifact = make(store, Writer(), lr=0.1)
    path = artifact.path / MANIFEST
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        _flip(path, place, 1 << (place % 8))
        with pytest.raises(StoreError, match=MANIFEST):
            store.open(artifact.asset, artifact.digest)
        path.write_bytes(whole)
    assert store.open(artifact.asset, artifact.digest).digest == artifact.digest


def test_a_manifest_of_another_artefact_is_refused(tmp_path: Path) -> None:
    one, two = make(Store(tmp_path), Writer(), lr=1), make(Store(tmp_path), Writer(), lr=2)
    shutil.copyfile(one.path / MANIFEST, two.path / MANIFEST)
    with pytest.raises(StoreError, match=MANIFEST):
        Store(tmp_path).open(two.asset, two.digest)


def test_an_artefact_of_an_earlier_version_is_taken(tmp_path: Path) -> None:
    """Its manifest has no seal; what it was made of and its files' hashes are held all the same."""
    artifact = make(Store(tmp_path), Writer())
    path = artifact.path / MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["seal"]
    path.write_text(json.dumps(manifest, indent=1))
    assert make(Store(tmp_path), Writer()).up_to_date
    manifest["inputs"]["x"] = "1" * 64
    path.write_text(json.dumps(manifest, indent=1))
    assert not make(Store(tmp_path), Writer()).up_to_date


def test_work_folder_survives_a_failure_and_goes_after_publication(tmp_path: Path) -> None:
    store = Store(tmp_path)
    found: list[list[str]] = []

    def build(work: Path, out: Path) -> Mapping[str, Any]:
        found.append(sorted(path.name for path in work.iterdir()))
        (work / f"epoch-{len(found)}").write_text("")
        if len(found) < 3:
            raise RuntimeError("crash")
        (out / "done").write_text("")
        return {}

    def run() -> Artifact:
        return store.build_resumable("train", code_version="1", config={}, inputs={}, build=build)

    for _ in range(2):
        with pytest.raises(RuntimeError, match="crash"):
            run()
    artifact = run()
    assert found == [[], ["epoch-1"], ["epoch-1", "epoch-2"]]
    assert not store.workdir("train", artifact.digest).exists()
    # a crash between publication and cleaning leaves the work folder; the next call removes it
    store.workdir("train", artifact.digest).mkdir(parents=True)
    assert run().up_to_date
    assert not store.workdir("train", artifact.digest).exists()


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


def test_a_temporary_folder_of_an_unseen_but_locking_process_is_left(tmp_path: Path) -> None:
    """A builder in another container has a process number that means nothing here, but its lock does."""
    import fcntl

    other = "ab" * 32
    folder = tmp_path / "dfew" / "fd1" / "checkpoint" / f".tmp-{other}-4194304-1.00"
    folder.mkdir(parents=True)
    assert not psutil.pid_exists(4194304)
    lock = tmp_path / ".locks" / f"{other}.lock"
    lock.parent.mkdir()
    with lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        make(Store(tmp_path), Writer())
        assert folder.is_dir()
    make(Store(tmp_path), Writer())
    assert not folder.exists()


def test_a_file_size_limit_is_reported_and_nothing_is_published(tmp_path: Path) -> None:
    """EFBIG for real: the kernel refuses to let the file grow."""
    process = script(
        """
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        def build(out):
            (out / "small").write_bytes(b"x" * 40_000)
            (out / "large").write_bytes(b"x" * 60_000)
            return {}
        from nrdfer.errors import StoreError
        try:
            make(build)
        except StoreError as error:
            print(error)
        """,
        str(tmp_path),
    )
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "no room to write dfew/fd1/checkpoint" in said
    assert str(tmp_path) in said
    assert "bytes free" in said
    assert "Nothing was published" in said
    assert visible(tmp_path) == []
    assert make(Store(tmp_path), Writer()).up_to_date is False


def test_a_full_disk_is_reported_and_nothing_is_published(tmp_path: Path) -> None:
    """ENOSPC for real, on a small disk in memory; the step's result appears once there is room."""
    mount = ["unshare", "-rm", "sh", "-c", f"mount -t tmpfs -o size=2m tmpfs {tmp_path}"]
    if shutil.which("unshare") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs unprivileged user namespaces, which this machine does not allow")
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from nrdfer.errors import StoreError
        from nrdfer.store import Store
        root, store = Path(sys.argv[1]), Store(Path(sys.argv[1]) / "store")
        def build(out):
            for i in range(30):
                (out / f"{i}.bin").write_bytes(b"x" * 100_000)
            return {}
        def silent(out):
            try:
                build(out)
            except OSError:
                raise RuntimeError("file write failed") from None
        for step in (build, silent):
            try:
                store.build("a", code_version="1", config={}, inputs={}, build=step)
            except StoreError as error:
                print(error)
            print(sorted(str(p) for p in root.rglob("*.bin")))
        artifact = store.build("a", code_version="1", config={}, inputs={}, build=lambda out: {})
        print(artifact.up_to_date)
        """
    )
    program = tmp_path.parent / "program.py"
    program.write_text(code)
    inside = f"mount -t tmpfs -o size=2m tmpfs {tmp_path} && {sys.executable} {program} {tmp_path}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", inside], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    for message, left in (lines[:2], lines[2:4]):
        assert f"no room to write a below {tmp_path / 'store' / 'a'}" in message
        assert "bytes free" in message
        assert left == "[]"
    assert "No space left on device" in lines[0]
    assert lines[4] == "False"


def test_disk_full_is_recognised_through_other_libraries(tmp_path: Path) -> None:
    class SafetensorError(Exception):
        pass

    assert is_disk_full(SafetensorError("I/O error: No space left on device (os error 28)"), tmp_path)
    try:
        try:
            raise OSError(28, "No space left on device")
        except OSError as cause:
            raise ValueError("saving failed") from cause
    except ValueError as error:
        assert is_disk_full(error, tmp_path)
    assert not is_disk_full(OSError(2, "No such file or directory"), tmp_path)


def test_a_store_that_cannot_be_written_is_a_readable_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be written below .*NRDFER_HOME"):
        make(Store(tmp_path / "file"), Writer())


def test_published_files_were_flushed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    real_fsync, real_rename = os.fsync, Path.rename

    def fsync(handle: int) -> None:
        name = Path(f"/proc/self/fd/{handle}").readlink().name
        events.append("temporary" if name.startswith(".tmp-") else name)
        real_fsync(handle)

    def rename(self: Path, target: Path) -> Path:
        events.append("rename")
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    make(Store(tmp_path), Writer())
    before, after = events[: events.index("rename")], events[events.index("rename") + 1 :]
    folders = {tmp_path.name, "dfew", "fd1"}  # the names of those that are new
    assert set(before) == {"a.bin", "sub", "b.txt", MANIFEST, "temporary"} | folders
    assert after == ["checkpoint"]
