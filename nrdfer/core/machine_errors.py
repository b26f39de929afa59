"""Messages for failures of the machine: a full or read-only disk, an unreachable MLflow server.

They are raised by the library that failed first, often as text only; so they are recognised here, in one place, for
the command line, the steps and the end of a run. This project's own errors have messages already.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from nrdfer.core import paths
from nrdfer.core.addresses import displayed, sqlite_path
from nrdfer.core.disk import is_disk_full, is_read_only, least_room
from nrdfer.core.errors import NrdferError
from nrdfer.core.redaction import hide

_NOTHING = 64 << 10  # bytes; with that few, no database writes a page
_AWAY = ("requests.", "urllib3.", "http.client", "urllib.error")  # modules whose errors are of a connection


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was raised from."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__


def in_words(error: BaseException) -> str | None:
    """Message with the failure, its place and the remedy; None for an error that is no failure of the machine."""
    full = disk_in_words(error)
    return full or mlflow_in_words(error)


def disk_in_words(error: BaseException) -> str | None:
    """As `in_words`, for a disk only."""
    named = [str(part.filename) for part in chain(error) if isinstance(part, OSError) and part.filename]
    places = [Path(os.fsdecode(name)) for name in named[:1]] + written_places()
    if any(is_disk_full(error, place) for place in places):
        return _no_room(places, _first_line(error))
    if is_read_only(error):
        return (
            f"{places[0]} cannot be written ({_first_line(error)}). Mount its disk for writing, make the folder "
            "writable for this user, or set NRDFER_HOME to another folder, and run the same command again"
        )
    if any(isinstance(part, PermissionError) for part in chain(error)):
        return (
            f"{places[0]} may not be written or read by this user ({_first_line(error)}). Change its owner or its "
            "mode, or work in another folder, and run the same command again"
        )
    if any(isinstance(part, FileNotFoundError) and "temporary directory" in str(part) for part in chain(error)):
        return (
            f"there is no folder for temporary files ({_first_line(error)}). Set TMPDIR to a folder that can be written"
        )
    return None


def full_disk_in_words() -> str | None:
    """As `disk_in_words`, for a disk that is full now, for errors that do not state their cause."""
    places = written_places()
    _, free, entries = least_room(places)
    return _no_room(places, "found after an error") if free < _NOTHING or entries == 0 else None


def _no_room(places: Sequence[Path], reason: str) -> str:
    place, free, entries = least_room(places)
    entries_text = "" if entries is None else f" and {entries:,} free entries for files"
    return (
        f"no room on the disk of {place} ({free:,} bytes{entries_text} free there; {reason}). Free some space there, "
        "or set NRDFER_HOME (for results) or TMPDIR (temporary files) to a folder on a larger disk, and run the same "
        "command again: what is finished is kept"
    )


def mlflow_in_words(error: BaseException) -> str | None:
    """As `in_words`, for MLflow only."""
    modules = [f"{type(part).__module__}." for part in chain(error)]
    if not any(name.startswith("mlflow.") for name in modules) and not any(name.startswith(_AWAY) for name in modules):
        return None
    address = displayed(paths.tracking_uri())
    if any(name.startswith(_AWAY) for name in modules) or "failed with exception" in str(error):
        return (
            f"MLflow at {address} does not answer ({_first_line(error)}). Start its server, or unset "
            "MLFLOW_TRACKING_URI to use this project's own file, and run the same command again"
        )
    return f"MLflow at {address} refuses ({type(error).__name__}: {_first_line(error)})"


def written_places() -> list[Path]:
    """Folders that every run writes to: the project's, MLflow's database's, the working and the temporary one."""
    places: list[Path] = []
    for ask in (paths.home, _database_folder, Path.cwd, lambda: Path(tempfile.gettempdir())):
        # while an error is reported, this must not raise another
        with contextlib.suppress(FileNotFoundError, NrdferError):
            found = ask()
            places += [] if found is None else [found]
    return places or [Path("/")]


def _database_folder() -> Path | None:
    database = sqlite_path(paths.tracking_uri())
    return None if database is None else database.parent


def waiting_helps(error: BaseException) -> bool:
    """Whether a retry may succeed a little later: not on a full disk, nor with an invalid address."""
    from nrdfer.core.errors import AddressError

    if any(isinstance(part, AddressError) for part in chain(error)):
        return False
    return disk_in_words(error) is None


def _first_line(error: BaseException) -> str:
    root = list(chain(error))[-1]
    words = str(error) or str(root) or type(error).__name__
    if isinstance(root, OSError) and root.errno in errno.errorcode and root.strerror:
        words = root.strerror + (f": {root.filename}" if root.filename else "")
    return hide(words.strip().splitlines()[0][:200] if words.strip() else type(error).__name__)
