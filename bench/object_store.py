"""Compare a bucket and the scratch with the store: ``python -m bench.object_store [--mb 64] [--files 8] [--json OUT]``.

Uploads an artefact to a bucket, fetches it to an empty machine, and opens it from the scratch, beside a plain copy and
a plain sha256 of the same files in the same run: ratios are comparable between machines, seconds are not. Without
``NRDFER_STORE_URL`` the bucket is one of a local S3 server (moto, one Python process), which is slower than a real one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from devtools.s3_server import S3Server
from nrdfer.store import Store, file_sha256
from nrdfer.store.copies import URL, Copies
from nrdfer.store.remote import Remote
from nrdfer.store.scratch import Scratch


@contextlib.contextmanager
def bucket(folder: Path) -> Iterator[str]:
    """Address of the bucket that the environment names, else of a local one."""
    if url := os.environ.get(URL):
        yield url
        return
    server = S3Server(folder / "server.log")
    server.start()
    os.environ.update(server.environment)
    try:
        yield server.url
    finally:
        server.kill()


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measure(folder: Path, url: str, files: int, size: int, number: int) -> Mapping[str, float]:
    """Seconds of each way, once: an artefact of its own, so that nothing is there already."""

    def build(out: Path) -> Mapping[str, Any]:
        for k in range(files):
            (out / f"shard-{k}.tar").write_bytes(os.urandom(size))
        return {}

    made = Store(folder / "one").build(
        "bench/shards", code_version=os.urandom(8).hex(), config={}, inputs={}, build=build
    )
    remote = Remote(url)
    first = Store(folder / "one", Copies(remote))
    cached = Store(folder / "three", Copies(remote, Scratch(folder / "scratch", None)))
    listed = [made.path / name for name in made.manifest["files"]]
    named = made.asset, made.digest
    return {
        "copy": seconds(lambda: shutil.copytree(made.path, folder / f"copy-{number}")),
        "sha256": seconds(lambda: [file_sha256(path) for path in listed]),
        "upload": seconds(lambda: first.copies.uploaded(*named, made.path)),
        "upload again": seconds(lambda: first.copies.uploaded(*named, made.path)),
        "fetch": seconds(lambda: Store(folder / "two", Copies(remote)).open(*named)),
        "fetch to scratch": seconds(lambda: cached.open(*named)),
        "open from scratch": seconds(lambda: cached.open(*named)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=64, help="of the artefact")
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, bucket(Path(place)) as url:
        size = options.mb * (1 << 20) // options.files
        rounds = [measure(Path(place), url, options.files, size, k) for k in range(options.repeats)]
    found = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    ratios = {name: round(value / found["copy"], 2) for name, value in found.items()}
    for name, value in found.items():
        print(f"{name:18} {value:8.3f} s  {ratios[name]:7.2f} x a copy on this disk")
    if options.json:
        document = {"mb": options.mb, "files": options.files, "seconds": found, "of_a_copy": ratios}
        options.json.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
