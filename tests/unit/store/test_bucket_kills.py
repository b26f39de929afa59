"""SIGKILL in the middle of an upload and of a fetch: nothing half is visible, and the next start completes it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nrdfer.store import MANIFEST
from tests.unit.store.buckets import S3Bucket, machine
from tests.unit.store.building import visible

pytestmark = pytest.mark.slow

FILES = 6
LONG = 34 << 20  # bytes of the first, which goes in several parts
ASSET = "dfew/shards"
HEAD = """
import sys, threading, time
from pathlib import Path
from nrdfer.store import Store
from nrdfer.store.copies import Copies
from nrdfer.store.remote import Remote
root, url, last = sys.argv[1:]
store = Store(Path(root), Copies(Remote(url)))
def build(out):
    for k in range(FILES):
        (out / f"shard-{k}.tar").write_bytes(bytes([k]) * (1 << 20 if k else LONG))
    return {}
def make():
    return store.build("dfew/shards", code_version="1", config={}, inputs={}, build=build)
guard, begun = threading.Lock(), []
def told(work):
    def one(self, *files):
        with guard:
            begun.append(next(file.name for file in files if isinstance(file, Path)))
            number = len(begun)
            print(begun[-1], flush=True)
        if number > int(last):
            time.sleep(1000)  # the kill comes before
        return work(self, *files)
    return one
Remote.put, Remote.get = told(Remote.put), told(Remote.get)
""".replace("FILES", str(FILES)).replace("LONG", str(LONG))
MAKE = """
made = make()
print("done", made.digest, made.up_to_date, made.waiting, flush=True)
"""


def start(root: Path, bucket: S3Bucket, last: int = FILES) -> subprocess.Popen[str]:
    """Make the artefact, or fetch it; of the transfers, none after number `last` begins."""
    line = [sys.executable, "-c", HEAD + MAKE, str(root), bucket.url, str(last)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> list[str]:
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    return said.splitlines()


def kill_after(process: subprocess.Popen[str], lines: int, seconds: float) -> None:
    assert process.stdout is not None
    for _ in range(lines):
        assert process.stdout.readline() != "", process.stderr and process.stderr.read()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == -signal.SIGKILL
    process.communicate()


@pytest.mark.parametrize(("last", "seconds"), [(1, 0.1), (3, 0.02), (5, 0.0)])
def test_a_killed_upload_is_not_visible_and_is_continued(
    tmp_path: Path, s3: S3Bucket, last: int, seconds: float
) -> None:
    kill_after(start(tmp_path / "one", s3, last), last, seconds)
    (made,) = visible(tmp_path / "one")  # in the store it was published before
    digest = made.rpartition("/")[2]
    there = {key.rpartition("/")[2] for key in s3.objects()}
    assert MANIFEST not in there
    assert not machine(tmp_path / "two", s3).is_published(ASSET, digest)
    *sent, told = finish(start(tmp_path / "one", s3))
    assert told.split() == ["done", digest, "True"]
    assert set(sent) == {f"shard-{k}.tar" for k in range(FILES)} - there  # what had arrived is not sent again
    found = machine(tmp_path / "two", s3).open(ASSET, digest)
    assert [(found.path / f"shard-{k}.tar").stat().st_size for k in range(FILES)] == [LONG, *[1 << 20] * (FILES - 1)]


@pytest.mark.parametrize(("last", "seconds"), [(1, 0.1), (5, 0.02)])
def test_a_killed_fetch_is_not_visible_and_is_continued(
    tmp_path: Path, s3: S3Bucket, last: int, seconds: float
) -> None:
    digest = finish(start(tmp_path / "one", s3))[-1].split()[1]
    kill_after(start(tmp_path / "two", s3, last), last, seconds)
    assert visible(tmp_path / "two") == [f"{ASSET}/.fetch-{digest}"]
    assert finish(start(tmp_path / "two", s3))[-1].split() == ["done", digest, "True"]
    assert visible(tmp_path / "two") == [f"{ASSET}/{digest}"]
    assert machine(tmp_path / "two", s3).open(ASSET, digest).up_to_date
