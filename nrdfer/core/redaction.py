"""Redaction: no password, token or key in anything that is displayed, logged or stored.

The first rule is that secrets are not passed on at all (``addresses`` removes them from MLflow's address). This is the
second: whatever is logged, raised or written passes `hide`. Log messages quote file names, so terminal control
characters and line breaks are removed from them, too.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import logging
import os
import re
import sys
import threading
import traceback
import warnings
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from nrdfer.core.plain_text import lines, one_line

HIDDEN = "***"
_FOLDERS = ("PWD", "OLDPWD")  # a shell's: no passwords
_KEPT = ("strerror", "filename", "filename2", "msg", "text")  # words of Python's own errors
#: Names of variables, and of parts of an address's query, whose values are secret.
SECRET_NAME = re.compile(
    r"PASSW(OR)?D|PASSPHRASE|TOKEN|SECRET|(API|ACCESS|ACCOUNT|PRIVATE)_?KEY|CREDENTIAL|ODBC_CONNECT"
    r"|AUTH_?HEADER|AUTHORIZATION|CONN(ECTION)?_?STR(ING)?|(^|[_.-])(PASS|PWD|PAT|SIG(NATURE)?)($|[_.-])",
    re.I,
)
_SHORTEST = 6  # characters; a shorter value ("true", "1") may stand anywhere
# A database's driver takes nearly anything for a password, so one ends at the last ``@`` of its word. Three things end
# an address before: another address, a quote that seems to close it and, of a web page, a port that a path follows.
_USER_INFO = re.compile(
    r"""(?P<scheme>\b(?>(?P<web>(?:[a-z]+\+)?(?:https?|wss?|ftps?))(?=://)|[a-z][a-z0-9+.-]{0,30})://)
    (?P<user>[^/?\#\s@'":\[]*:(?(web)(?!\d{1,5}[/?\#]))(?:[^\s'":]|:(?!//)|['"](?![,:;)\]}>\s]|$))*|[^/?\#\s'"]+)@""",
    re.I | re.X,
)
_WHOLE = re.compile(r"[^:/@\[]*(:.*)?@", re.S)  # the same of a text that is one address
_PORT = re.compile(r"[^:]*:\d{1,5}[/?#]")
_QUERY = re.compile(r"(?P<name>(?:^|[?&;])(?P<key>[\w.-]+)=)(?P<value>[^&;#\s'\"]+)")
_SETTING = re.compile(
    r"(?:^|(?<=[?&;=]))(?P<key>[\w.-]+)=(?=(?P<value>[^&;]+))"
)  # in a connection string within a query, too


def hide(text: str) -> str:
    """The text without secrets: those of the environment, and those of any address in it."""
    for secret in _known(tuple(os.environ.items())):
        text = text.replace(secret, HIDDEN)
    if "://" in text and "@" in text:
        text = _USER_INFO.sub(lambda found: f"{found['scheme']}{HIDDEN}@", text)
    if "=" not in text:
        return text
    return _QUERY.sub(
        lambda found: found["name"] + (HIDDEN if SECRET_NAME.search(found["key"]) else found["value"]), text
    )


def parted(address: str) -> tuple[str, str, str]:
    """An address split into its scheme (lower case, with ``://``), its user information, and the rest."""
    scheme, sign, rest = address.strip().partition("://")
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://", scheme + sign, re.I):
        return "", "", address
    scheme = scheme.lower() + sign
    web = scheme in ("http://", "https://")
    place = re.split("[/?#]", rest, maxsplit=1)[0]
    if web and "@" in place:  # what follows may have an ``@`` of its own
        info, _, host = place.rpartition("@")
        return scheme, info, host + rest.removeprefix(place)
    found = _WHOLE.match(rest)
    if found is None or (web and _PORT.match(rest)):
        return scheme, "", rest
    return scheme, found[0][:-1], rest[found.end() :]


@functools.lru_cache(maxsize=2)  # used at every line of a log
def _known(environment: tuple[tuple[str, str], ...]) -> list[str]:
    """Secret values given to this process, in the forms in which a text may contain them; the longest first."""
    found: set[str] = set()
    for name, value in environment:
        if SECRET_NAME.search(name) and name not in _FOLDERS and not _is_there(value):
            found |= {value, value.strip()}
        if "@" in value and "://" in value:  # of a proxy, of a database
            users = [parted(value)[1], *(match["user"] for match in _USER_INFO.finditer(value))]
            found |= {user.partition(":")[2] for user in users}
        if "=" in value:
            for text in (value, unquote(value)):
                found |= {part["value"] for part in _SETTING.finditer(text) if SECRET_NAME.search(part["key"])}
    found |= {unquote(value) for value in found}
    found = {form for value in found if len(value) >= _SHORTEST for form in _forms(value)}
    values = dict(environment)
    if password := values.get("MLFLOW_TRACKING_PASSWORD"):  # as a request's header has it
        user = values.get("MLFLOW_TRACKING_USERNAME", "")
        found.add(base64.b64encode(f"{user}:{password}".encode()).decode())
    return sorted(found, key=len, reverse=True)


def _is_there(value: str) -> bool:
    """Whether a value is the path of an existing file or folder: a file that holds a secret may be named."""
    return value.startswith("/") and os.access(value, os.F_OK)


def _forms(value: str) -> set[str]:
    """The forms of a secret in an address, in JSON, in Python's representation of a text, and in a line of a log."""
    forms = {form(value)[1:-1] for form in (json.dumps, repr, ascii)} | {json.dumps(value, ensure_ascii=False)[1:-1]}
    forms |= {form.replace("'", "\\'") for form in forms}  # of a text with both kinds of quotes
    return {value, quote(value), quote(value, safe=""), quote_plus(value), one_line(value), *forms}


def scrub(error: BaseException) -> None:
    """Remove secrets from the stored messages of an exception and of its causes."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        found.args = tuple(_clean(part) for part in found.args)
        for name in (*vars(found), *_KEPT):  # MLflow's and SQLAlchemy's keep their words beside `args`
            value = getattr(found, name, None)
            if (clean := _clean(value)) is not value:
                with contextlib.suppress(AttributeError, TypeError):  # one that cannot be written
                    setattr(found, name, clean)
        waiting += [found.__cause__, found.__context__, *getattr(found, "exceptions", ())]
        waiting += [part for part in (*found.args, *vars(found).values()) if isinstance(part, BaseException)]


def _clean(value: Any, depth: int = 6) -> Any:
    """The value without secrets, down to the given depth; the same object if it has none, as others may hold it."""
    if isinstance(value, str):
        clean: Any = hide(value)
        return value if clean == value else clean
    if isinstance(value, bytes):
        text = value.decode("utf-8", "surrogateescape")
        return value if (clean := hide(text)) == text else clean.encode("utf-8", "surrogateescape")
    if isinstance(value, PurePath):
        return value if (clean := hide(str(value))) == str(value) else type(value)(clean)
    if depth == 0:
        return value
    if type(value) is dict:
        clean = {_clean(key, depth - 1): _clean(part, depth - 1) for key, part in value.items()}
        same = all(a is b and c is d for (a, c), (b, d) in zip(value.items(), clean.items(), strict=False))
        return value if same and len(clean) == len(value) else clean
    if type(value) in (list, tuple):
        parts = [_clean(part, depth - 1) for part in value]
        return value if all(a is b for a, b in zip(parts, value, strict=True)) else type(value)(parts)
    return value


def install() -> None:
    """Pass this process's log records, warnings and thread tracebacks through `hide`; safe to repeat."""
    make = logging.getLogRecordFactory()
    if not isinstance(make, _Records):
        logging.setLogRecordFactory(_Records(make))
    sys.excepthook = tell
    threading.excepthook = _tell_of_thread
    warnings.formatwarning = _warning


class _Records:
    """Makes log records whose messages pass `hide` and `lines`, for every logger and handler."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*args, **kwargs)
        try:
            if isinstance(record.args, tuple):
                record.args = tuple(_named(value) for value in record.args)
            elif isinstance(record.args, dict):
                record.args = {name: _named(value) for name, value in record.args.items()}
            values = record.getMessage()
        except Exception:  # arguments that do not fit; the handler says so
            record.msg, record.args = _clean(record.msg), _clean(record.args)
            return record
        clean = lines(hide(values))
        if clean != values:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[1] is not None:
            scrub(record.exc_info[1])
        return record


def _named(value: object) -> object:
    """A file's name, a text, or an error that quotes one, on one line; anything else is left unchanged."""
    if not isinstance(value, str | Path | BaseException):
        return value
    text = str(value)
    return value if (line := one_line(text)) == text else line


def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report an uncaught exception as Python does, without secrets."""
    sys.stderr.write(hide("".join(traceback.format_exception(kind, error, trace))))


def _tell_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is None or issubclass(ended.exc_type, SystemExit):
        return
    sys.stderr.write(hide(f"Exception in thread {ended.thread.name if ended.thread else ''}:\n"))
    tell(ended.exc_type, ended.exc_value, ended.exc_traceback)


_python_warning = warnings.formatwarning


def _warning(*args: Any, **kwargs: Any) -> str:
    """Write a warning as Python does, without secrets."""
    return lines(hide(_python_warning(*args, **kwargs)))
