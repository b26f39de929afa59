"""Words that tell of a machine or its user, looked for in whatever is about to be published."""

from __future__ import annotations

import getpass
import re
import socket
from pathlib import Path

from nrdfer.core.errors import WeightsError
from nrdfer.core.plain_text import one_line
from nrdfer.core.redaction import hide

#: A path of two parts or more from the root of a disk, of any system; not the end of an address, nor ``and/or``,
#: nor an address of MLflow's.
_PATH = re.compile(r"(?<!\bmodels:)(?<!\bruns:)(?<![\w/.])(?:/[\w.@+~-]+/|~/|[A-Za-z]:\\|\\\\\w)[^\s'\"`|)]*")
#: Users and hosts that tell of nobody.
_ANYBODY = frozenset({"root", "user", "users", "admin", "ubuntu", "runner", "nobody", "docker", "localhost", "build"})
_SHORTEST = 4  # letters; a shorter name is a word of many texts


def refuse_private(where: str, text: str) -> None:
    """Refuse a text that holds a path, the user, the host or a secret of this machine.

    Args:
        where: the text is from, for the message.
        text: as it would be published.

    Raises:
        WeightsError: it holds one; the message says which.
    """
    if found := _found(text):
        raise WeightsError(
            f"{where} is not published: it holds {one_line(found)}, which tells of this machine. Remove it from the "
            "model's card or settings (a trained folder can be copied and its files edited), and push again"
        )


def _found(text: str) -> str:
    if hide(text) != text:
        return "a password or a token"
    if (path := _PATH.search(text)) is not None:
        return f"the path '{path[0][:100]}'"
    for kind, name in (("user", _user()), ("host", socket.gethostname().partition(".")[0])):
        if len(name) < _SHORTEST or name.lower() in _ANYBODY:
            continue
        if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.I):
            return f"the {kind}'s name '{name}'"
    home = str(Path.home())
    return f"the path '{home}'" if len(home) > 1 and re.search(rf"{re.escape(home)}(?![\w-])", text) else ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return ""
