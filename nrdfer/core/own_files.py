"""Files that this project wrote into a user's folder: known by content, so that nothing else is replaced or removed.

Every file or folder that is published here has a small note beside it, ``.nrdfer-made/<digest of the name>.json``, with
the size and sha256 of all that belongs to it. What has no note, was changed or added since, is write-protected or is a
link belongs to the user; deleted files are ignored. Artefacts of the store are `nrdfer.store`'s.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from nrdfer.core import leases
from nrdfer.core.atomic_files import OF_THE_MACHINE, sync, write_whole
from nrdfer.core.errors import NotOursError, StoreError
from nrdfer.core.plain_text import name_text

NOTES = ".nrdfer-made"
_UNFINISHED = ".nrdfer-unfinished-"
_OWNER = "nrdfer.json"  # in an unfinished folder: the lease of who is at it
_MANY = 200  # files
_WHOLE = ""  # a single file's place in its own content
#: Place in a folder -> sha256 and bytes of the file there; of a folder, nothing and 0.
Content = dict[str, tuple[str, int]]
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def refuse_foreign(path: Path) -> None:
    """Refuse a name whose file or folder this project did not make, or that was changed since.

    An empty folder may be filled.

    Raises:
        NotOursError: so it is; says what to do.
    """
    found = _why_foreign(path)
    if found:
        raise NotOursError(
            f"{name_text(path)} is there and {found}; it is left unchanged. Move or remove it, or choose another place "
            "to write to"
        )


def was_changed(file: Path) -> bool:
    """Whether a file's content differs from what was published; False for a file without a note."""
    noted = _noted_contents(file)
    return bool(noted) and {_WHOLE: _entry(file)} not in noted


def write_made(path: Path, data: bytes) -> None:
    """Write a file whole, replacing only an earlier one of this project.

    Raises:
        NotOursError: see `refuse_foreign`.
        OSError: the disk is full or not writable.
    """
    refuse_foreign(path)
    with unfinished(path.parent) as place:
        (place / "file").write_bytes(data)
        publish(place / "file", path)


def publish(fresh: Path, path: Path) -> None:
    """Give a finished file or folder its name, replacing only an earlier one of this project.

    Args:
        fresh: what is finished, on the same disk and in a folder of `unfinished`: an earlier one is moved beside it
            and goes with it.
        path: its name.

    Raises:
        NotOursError: see `refuse_foreign`.
        OSError: the disk is full or not writable.
    """
    refuse_foreign(path)
    wanted = _content(fresh)
    if wanted is None:
        raise ValueError(f"{fresh} holds links or more than files and folders")
    _sync_all(fresh)
    with _noted(path, wanted):
        _place(fresh, path)
        sync(path.parent)


def remove_made(path: Path) -> None:
    """Remove a file or folder of this project; nothing happens if there is none, or an empty folder.

    Raises:
        NotOursError: see `refuse_foreign`.
    """
    refuse_foreign(path)
    if not os.path.lexists(path) or (path.is_dir() and not path.is_symlink() and not any(path.iterdir())):
        return
    with unfinished(path.parent) as place:  # moved first: a half-deleted folder would look like a user's files
        path.rename(place / "removed")
    _note_of(path).unlink(missing_ok=True)
    _leave_no_empty(path.parent)


@contextlib.contextmanager
def unfinished(out: Path) -> Iterator[Path]:
    """A folder on the same disk for unfinished output; removed with its remaining content at the block's end."""
    out.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=out))
    try:
        with contextlib.ExitStack() as held:
            # a user's folder may be on a file system without locks; there, the folder of a killed process is left
            with contextlib.suppress(StoreError):
                held.enter_context(leases.held_file(holder / _OWNER))
            (holder / "files").mkdir()
            yield holder / "files"
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def clear_unfinished(out: Path) -> None:
    """Remove unfinished folders of processes that have ended; those without a lease are left."""
    for holder in out.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(StoreError):  # a file system without locks
            owner = holder / _OWNER
            if not holder.is_symlink() and owner.is_file() and leases.is_over_file(owner):
                shutil.rmtree(holder, ignore_errors=True)


def is_as_made(folder: Path, names: Iterable[str]) -> bool:
    """Whether these files of a folder are as published; other files may have been added or removed.

    Raises:
        OSError: one of them is missing or cannot be read.
    """
    found = {name: _entry(folder / name) for name in names}
    return any(found.items() <= content.items() for content in _noted_contents(folder))


def _place(fresh: Path, path: Path) -> None:
    if path.is_dir():
        path.rename(Path(tempfile.mkdtemp(dir=fresh.parent)) / "replaced")
    fresh.replace(path)


def _why_foreign(path: Path) -> str:
    """Reason why the file or folder of a name may not be replaced; empty if it may, or if there is none."""
    try:
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return ""
        return _why_of(path, mode)
    except OSError as error:
        if error.errno in OF_THE_MACHINE:
            raise
        return f"cannot be examined ({error.strerror})"


def _why_of(path: Path, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "is a link"
    if stat.S_ISDIR(mode) and not any(path.iterdir()):
        return ""
    if not mode & _WRITABLE:
        return "is write-protected"
    noted = _noted_contents(path)
    if not noted:
        return "was not made by nrdfer (or by a version that left no note of it)"
    found = _content(path)
    known = found is not None and any(found.items() <= content.items() for content in noted)
    return "" if known else "was changed since nrdfer made it"


@contextlib.contextmanager
def _noted(path: Path, content: Content) -> Iterator[None]:
    """Record the future content of a name beside the present one, so that either is known after a power cut."""
    before = _noted_contents(path)
    _write_note(path, [*before, content])
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            if before:
                _write_note(path, before)
            else:
                _note_of(path).unlink(missing_ok=True)
                _leave_no_empty(path.parent)
        raise
    _write_note(path, [content])


def _write_note(path: Path, contents: list[Content]) -> None:
    write_whole(_note_of(path), (json.dumps({"name": name_text(path.name), "contents": contents}) + "\n").encode())


def _noted_contents(path: Path) -> list[Content]:
    try:
        note = json.loads(_note_of(path).read_text())
        if note["name"] != name_text(path.name):
            return []
        return [{str(k): (str(v[0]), int(v[1])) for k, v in content.items()} for content in note["contents"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        return []  # a note that cannot be read makes nothing ours


def _note_of(path: Path) -> Path:
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32]
    return path.parent / NOTES / f"{name}.json"


def _leave_no_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        (folder / NOTES).rmdir()


def _content(path: Path) -> Content | None:
    """Content of a file or a folder; None if it holds anything but writable files and folders."""
    if path.is_file():
        return {_WHOLE: _entry(path)}
    content: Content = {}
    for folder, folders, files in os.walk(path, onerror=_raise):
        here = Path(folder)
        for name in [*folders, *files]:
            mode = (here / name).lstat().st_mode
            if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) or not mode & _WRITABLE:
                return None
            place = name_text((here / name).relative_to(path))
            content[place] = _entry(here / name) if stat.S_ISREG(mode) else ("", 0)
    return content


def _raise(error: OSError) -> None:
    raise error  # a folder that cannot be listed may hold anything


def _entry(file: Path) -> tuple[str, int]:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest(), os.fstat(handle.fileno()).st_size


def _sync_all(path: Path) -> None:
    if path.is_file():
        sync(path)
        return
    found = [Path(folder, name) for folder, _, files in os.walk(path) for name in (".", *files)]
    if len(found) > _MANY:  # one flush of everything is far cheaper than one each
        os.sync()
        return
    for place in found:
        sync(place)
