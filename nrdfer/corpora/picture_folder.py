"""A clip's folder of face pictures: their names in order, or what is wrong with the folder.

Which folder is whose clip belongs to each corpus; opening a picture, to ``picture_file``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from nrdfer.core.atomic_files import OF_THE_MACHINE
from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line

PICTURES = (".jpg", ".jpeg", ".png")
_DIGITS = re.compile(r"(\d+)")


def pictures_of(folder: Path) -> tuple[tuple[str, ...], str]:
    """Names of a clip's pictures in natural order (2 before 10), and the folder's defect, empty if there is none.

    Hidden files are other systems' bookkeeping and left out.

    Raises:
        CorpusError: this machine cannot open files now, so that nothing is known of the folder.
    """
    try:
        with os.scandir(folder) as entries:
            found = [e for e in entries if e.name.lower().endswith(PICTURES) and not e.name.startswith(".")]
            odd = min((e.name for e in found if not e.is_file()), default=None)
    except FileNotFoundError:
        return (), "does not exist"
    except OSError as error:
        if error.errno in OF_THE_MACHINE:  # an exclusion for this reason would be permanent
            raise CorpusError(
                f"{folder} cannot be read now: {error.strerror}. This is not the clip's fault; run the same command "
                "again when this machine can open files again"
            ) from error
        return (), f"cannot be read: {error.strerror}"
    if odd is not None:
        return (), f"holds {one_line(odd)}, which is a folder, a pipe, or a broken link"
    names = tuple(sorted((e.name for e in found), key=_natural))
    return names, "" if names else "holds no picture"


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    # digits and texts alternate, so that numbers are only ever compared with numbers
    parts = _DIGITS.split(name)
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)], name
