"""Private copy of a version's own files, compared with what was registered while they are copied.

So no file can be exchanged between its comparison and its use.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from nrdfer.core.errors import WeightsError
from nrdfer.models.trained_files import LAST
from nrdfer.registry.file_lists import AGAIN, in_print, listed_files
from nrdfer.registry.verified_open import Opened

_ARTIFACTS = "artifacts/"  # the project's own files in a version's folder
_BLOCK = 1 << 20


@contextlib.contextmanager
def private_copy(opened: Opened) -> Iterator[Path]:
    """The project's own files of a version, copied to a private folder; every byte was compared on the way.

    Yields:
        A folder with ``model.json``, the weights...; it is removed at the end.

    Raises:
        WeightsError: a file is not, or no longer, the one that was registered.
    """
    listed = _listed(opened)
    with tempfile.TemporaryDirectory(prefix="nrdfer-model-") as scratch:
        for name, digest in listed.items():
            if name.startswith(_ARTIFACTS):
                target = Path(scratch) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if (there := _copy(opened.folder / name, target)) != digest:
                    raise WeightsError(
                        f"{opened.uri} is refused: {in_print(name)} was exchanged while it was being opened (sha256 "
                        f"{there[:12]}, registered {digest[:12]}). {AGAIN}"
                    )
        yield Path(scratch) / _ARTIFACTS


@contextlib.contextmanager
def private_files(where: str, files: Mapping[str, tuple[Path, str]]) -> Iterator[Path]:
    """As `private_copy`, for files of another origin.

    Args:
        where: they are from, for messages.
        files: name in the private folder -> the file, links to which are followed, and its sha256.

    Raises:
        WeightsError: a file has another content.
    """
    with tempfile.TemporaryDirectory(prefix="nrdfer-model-") as scratch:
        for name, (path, digest) in files.items():
            if (there := _copy(path.resolve(), Path(scratch) / name)) != digest:
                raise WeightsError(
                    f"{where} is refused: {name} was exchanged while it was being opened (sha256 {there[:12]}, "
                    f"expected {digest[:12]}); run the same command again"
                )
        yield Path(scratch)


def _copy(source: Path, target: Path) -> str:
    """Copy a regular file that is not a link; returns the sha256 of the copy."""
    digest = hashlib.sha256()
    try:
        with target.open("wb") as out, os.fdopen(_open_plain(source), "rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                out.write(block)
    except OSError as error:
        raise WeightsError(f"{source} cannot be read any more: {error.strerror}") from error
    return digest.hexdigest()


def _open_plain(path: Path) -> int:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe in its place would wait for ever
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise WeightsError(f"{path} is not a plain file any more, and is refused")
    return handle


def weights_sha256(opened: Opened) -> str:
    """sha256 of a version's weights, as it was registered.

    Raises:
        WeightsError: its list names none, or several.
    """
    found = [digest for name, digest in _listed(opened).items() if PurePosixPath(name).name == LAST]
    if len(found) != 1:
        raise WeightsError(f"{opened.uri} lists {len(found)} files {LAST} instead of one. {AGAIN}")
    return found[0]


def _listed(opened: Opened) -> dict[str, str]:
    return listed_files(opened.uri, opened.tags)
