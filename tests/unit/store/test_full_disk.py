"""A store that takes no more, or cannot be written: told in words, nothing published."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nrdfer.core.disk import is_disk_full
from nrdfer.core.errors import StoreError
from nrdfer.store import MANIFEST, Store
from tests.unit.store.building import Writer, make, script, visible


def test_a_file_size_limit_is_reported_and_nothing_is_published(tmp_path: Path) -> None:
    """EFBIG for real: the kernel refuses to let the file grow."""
    process = script(
        """
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        def build(out):
            (out / "small").write_bytes(b"x" * 40_000)
            (out / "large").write_bytes(b"x" * 60_000)
            return {}
        from nrdfer.core.errors import StoreError
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
        from nrdfer.core.errors import StoreError
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
