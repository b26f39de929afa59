"""Steps of tests, in this process and in others, and what can be seen of what they make."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrdfer.store import Artifact, Store


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
