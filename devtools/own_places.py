"""Paths in a script's options: files of other origin there are never overwritten or removed."""

from __future__ import annotations

import argparse
from pathlib import Path

from nrdfer.core.errors import NrdferError
from nrdfer.core.output_checks import refuse_unwritable
from nrdfer.core.own_files import refuse_foreign
from nrdfer.core.plain_text import name_text

_MARK = ".chaos-folder"  # in a folder that was empty, or not there, when a script was given it


def json_file(name: str) -> Path:
    """A file for `nrdfer.core.own_files.write_made`, as argparse asks for it: refused before anything has been done."""
    path = Path(name)
    try:
        refuse_unwritable(path, folder=False)
        refuse_foreign(path)
    except NrdferError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return path


def take_folder(folder: Path) -> None:
    """Make a folder a script's own, if it is empty, missing, or was made so before.

    Raises:
        SystemExit: it holds what no such script made.
    """
    if folder.exists() and not folder.is_dir():
        raise SystemExit(f"{name_text(folder)} is no folder; choose another place to work in")
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / _MARK).is_file():
        return
    if any(folder.iterdir()):
        raise SystemExit(
            f"{name_text(folder)} holds files that no script of this kind made; it is left unchanged. Choose an empty "
            "folder to work in, or a new one"
        )
    (folder / _MARK).touch()
