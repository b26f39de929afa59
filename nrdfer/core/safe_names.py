"""Names from outside (profiles, tags, the environment, clips) that become part of a path on this machine.

A name is untrusted text: it may be ``../x``, a device of Windows, or 300 letters. `checked_name` refuses what could
lead elsewhere, `stays_below` does so for a list's files, `shortened` makes a clip's id fit. How names are displayed
belongs to `nrdfer.core.plain_text`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from nrdfer.core.plain_text import one_line

LONGEST_NAME = 100  # bytes; folders and temporary files add to it, and file systems end at 255
#: Besides letters, marks and digits of any script.
_PUNCTUATION = frozenset(" _-.+()@,=")
#: Names that Windows and its file servers keep for devices, with any suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE | re.DOTALL)
_DIGEST = 10  # hexadecimal digits


def checked_name(name: str, what: str) -> str:
    """`name`, if it is a valid single path component on every file system and cannot lead elsewhere.

    Args:
        name: letters and digits of any script, spaces and ``_-.+()@,=``, at most 100 bytes.
        what: whose name it is, for the message.

    Raises:
        ValueError: it is none; says what is wrong with it.
    """
    problem = _problem(name)
    if problem:
        raise ValueError(
            f"{what} '{one_line(name[:80])}' cannot be used as a name: {problem}. Use letters, digits, _ and -, at "
            f"most {LONGEST_NAME} bytes"
        )
    return name


def _problem(name: str) -> str | None:
    if not name.strip(" ."):
        return "it is empty, or dots only"
    if len(name.encode(errors="surrogatepass")) > LONGEST_NAME:
        return f"it has {len(name):,} characters"
    odd = next(
        (letter for letter in name if not (letter in _PUNCTUATION or unicodedata.category(letter)[0] in "LMN")), ""
    )
    if odd:
        return f"it holds '{one_line(odd)}'"
    if name[0] in " .-" or name[-1] in " .":
        return "it begins with a dot, a dash or a space, or ends with a dot or a space"
    if _DEVICES.fullmatch(name):
        return "some systems keep that name for a device"
    return None


def stays_below(name: str) -> bool:
    """Whether a file named in a list is below the list's own folder, on any system; links are not followed."""
    parts = name.split("/")
    return "" not in parts and ".." not in parts and "\\" not in name and "\0" not in name


def shortened(name: str, longest: int, whole: bytes | None = None) -> str:
    """`name` if it has at most `longest` characters; else its beginning and a digest of the whole.

    Args:
        name: ASCII.
        longest: more than the digest takes.
        whole: what to take the digest of, if `name` was changed before; two long names that begin alike stay apart.
    """
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode() if whole is None else whole).hexdigest()[:_DIGEST]
    return f"{name[: longest - _DIGEST - 1].rstrip('-_')}-{digest}"
