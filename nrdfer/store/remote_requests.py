"""Requests to a bucket, a web server or a folder: repeated while it is away, with words for its failures.

What is asked belongs to ``remote``, the file systems to ``file_systems``.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from nrdfer.core import environment
from nrdfer.core.addresses import WEB
from nrdfer.core.coerce import brief
from nrdfer.core.errors import StoreError
from nrdfer.core.redaction import hide
from nrdfer.store.file_systems import FOLDER, cause_of, is_final, is_of_the_other_side, open_files

WAIT = "NRDFER_STORE_WAIT"
_PAUSE = 3.0
_MOST_BROKEN = 5  # attempts of a transfer that broke on its way
_log = logging.getLogger(__name__)
T = TypeVar("T")
Seen = Callable[[int], object]  # bytes of one file transferred so far


class UnreachableError(StoreError):
    """The other side does not answer, or refuses."""


class RemoteRequests:
    """One other side, and how it is asked.

    Args:
        scheme: of `nrdfer.store.file_systems.SCHEMES`.
        rest: of its address.
    """

    def __init__(self, scheme: str, rest: str) -> None:
        self.address = scheme + rest.rstrip("/")
        self.read_only = scheme in WEB
        self._scheme = scheme
        self._there = False
        self._kept: tuple[int, Any] = 0, None  # a process, and its file system
        self._guard = threading.Lock()

    @property
    def _files(self) -> Any:
        """The file system of this process: fsspec would make one, with its connections, for each thread."""
        with self._guard:
            if self._kept[0] != os.getpid():
                self._kept = os.getpid(), self._open()
            return self._kept[1]

    def _open(self) -> Any:
        try:
            return open_files(self._scheme)
        except ImportError as error:
            raise StoreError(f"{self.address} needs a package that is not installed: {error}") from error

    def _put(self, call: Callable[[], object], moved: Moved | None = None) -> None:
        try:
            self._reach(call, moved)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise UnreachableError(f"{self.address} cannot be written: {brief(str(error))}") from error

    def _reach(self, call: Callable[[], T], moved: Moved | None = None) -> T:
        """The result of a request, repeated while the other side is away, for `WAIT` seconds.

        A transfer of which something arrived before it broke is given as long again, a few times.
        """
        wait = environment.number(WAIT, 60, least=0, most=86_400)
        until: float | None = None  # from the first failure on
        broken = 0
        while True:
            try:
                self._look_for_bucket()
                return call()
            except (IsADirectoryError, StoreError, TooLargeError):
                raise
            except Exception as caught:
                error = cause_of(caught, self._scheme)
                if isinstance(error, FileNotFoundError) or not is_of_the_other_side(error, self._scheme):
                    if error is caught:
                        raise
                    raise error from caught
                now, reported = time.monotonic(), until is not None
                if until is None or (broken < _MOST_BROKEN and moved is not None and moved.since_asked()):
                    until, broken = now + wait, broken + 1
                if is_final(error) or now >= until:
                    raise UnreachableError(self._words(error)) from error
                if not reported:
                    _log.warning("%s", f"{self._words(error)}. Waiting for it ({WAIT})")
                time.sleep(min(_PAUSE, max(0.0, until - now)))

    def _look_for_bucket(self) -> None:
        """Refuse once a bucket or a folder that is not there: it would pass for an empty one."""
        if self._there or self._scheme in WEB:
            return
        bucket = self.address if self._scheme == FOLDER else self.address.removeprefix(self._scheme).partition("/")[0]
        try:
            self._files.info(bucket)
        except FileNotFoundError:
            what = "folder" if self._scheme == FOLDER else "bucket"
            raise UnreachableError(
                f"{self.address}: there is no such {what}; make it, or correct NRDFER_STORE_URL"
            ) from None
        except PermissionError:  # a key may be for the prefix alone; whether that is so, the request itself says
            pass
        self._there = True

    def _words(self, error: Exception) -> str:
        return (
            f"{self.address} cannot be reached ({type(error).__name__}: {brief(hide(str(error)))}). Check the address, "
            "the endpoint and the credentials (of S3: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and others), or unset "
            "NRDFER_STORE_URL to use this machine's artefacts alone"
        )


class Moved:
    """Bytes of a transfer, as fsspec reports them."""

    def __init__(self, seen: Seen) -> None:
        self._seen, self._some = seen, False

    def __call__(self, size: int | None, done: int, **_: object) -> None:
        """Take note of the bytes that have arrived, as a hook of fsspec."""
        self._some = self._some or done > 0
        self._seen(done)

    def since_asked(self) -> bool:
        """Whether any have moved since this was last asked."""
        some, self._some = self._some, False
        return some


class TooLargeError(ValueError):
    """An object is larger than what is asked for can be."""
