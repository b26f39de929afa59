"""Version of the code that made something: the package's version, the Git commit, and the digest of the sources.

A commit alone says little while files are being edited, and an installed copy has none; the digest of the sources is
always there. Comparing two versions belongs to the callers.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGES = ("nrdfer", "assets", "pipelines")


@dataclass(frozen=True)
class CodeVersion:
    """One state of the code.

    Attributes:
        version: of the package, or "not installed" for a bare source tree.
        sources: sha256 over names and contents of all Python files of the project's packages.
        commit: of its git checkout; empty without one.
        modified: whether files of the packages differed from the commit.
    """

    version: str
    sources: str
    commit: str = ""
    modified: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)


@functools.cache
def code_version() -> CodeVersion:
    """The code that this process runs, as it was on disk at the first call."""
    commit = _git("rev-parse", "HEAD")
    changed = bool(commit) and bool(_git("status", "--porcelain", "--", *(str(f) for f in _folders())))
    return CodeVersion(_version(), _digest_of_sources(), commit, changed)


def has_commit(commit: str) -> bool | None:
    """Whether this checkout has a commit; None if the code is not in a checkout."""
    if not _git("rev-parse", "HEAD"):
        return None
    return bool(_git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"))


def _version() -> str:
    try:
        return metadata.version("nrdfer")
    except metadata.PackageNotFoundError:  # used from a source tree
        return "not installed"


def _folders() -> list[Path]:
    """The packages' folders; found without importing them."""
    found = (find_spec(name) for name in PACKAGES)
    return [Path(spec.origin).parent for spec in found if spec is not None and spec.origin]


def _digest_of_sources() -> str:
    digest = hashlib.sha256()
    for folder in _folders():
        for path in sorted(folder.rglob("*.py")):
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}".encode()
            digest.update(b"%d %s\0" % (len(name), name) + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _git(*arguments: str) -> str:
    """Output of git for the checkout that holds this file; empty without git or such a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():  # not an unrelated repository around an installed copy
        return ""
    # a hook that runs this would point git elsewhere
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(root), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=20,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
