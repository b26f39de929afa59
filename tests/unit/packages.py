"""Small installed packages with entry points, for tests of plug-ins."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest


def install(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    source: str,
    entries: Mapping[str, Mapping[str, str]],
    version: str = "1.0",
) -> Path:
    """Put a package of one module on the path of this process; returns the module's file.

    Args:
        folder: that is to hold it.
        monkeypatch: takes it away again.
        package: its name; the module's is the same with underscores.
        source: of the module.
        entries: group -> name -> object in the module.
        version: of the package.
    """
    module = package.replace("-", "_")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}.py"
    path.write_text(source)
    about = folder / f"{module}-{version}.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {module}:{value}\n" for name, value in named.items())
        for group, named in entries.items()
    ]
    (about / "entry_points.txt").write_text("\n".join(groups))
    put_on_path(folder, module, monkeypatch)
    return path


def put_on_path(folder: Path, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process find what was installed into a folder, as long as the test takes."""
    monkeypatch.syspath_prepend(str(folder))
    forget(module, monkeypatch)


def forget(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next import of a module read its file."""
    monkeypatch.delitem(sys.modules, module, raising=False)
    importlib.invalidate_caches()
