"""Sequential reading of one shard from a folder, a web server or an S3 bucket, compared with its sha256 at the end.

Addresses are opened by fsspec; no program is started. A connection that breaks, or a server that answers with an error
of its own, is asked again for the rest, a limited number of times. What is in a shard belongs to ``stream``.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nrdfer.core.coerce import brief
from nrdfer.core.errors import StoreError
from nrdfer.shards.index import ShardEntry

_BLOCK = 1 << 20  # bytes asked for at a time
_ATTEMPTS = 6  # at the same place of a shard, before it is given up
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0  # between them; doubled each time
_SILENCE_S = 30.0  # after which a connection counts as broken
_MAGIC = slice(257, 262)  # of a tar's header
_BUSY = (408, 425, 429)  # statuses below 500 after which asking again makes sense


def place_of(root: str | Path, name: str) -> str:
    """Path or address of a shard in a folder or below an address."""
    if "://" in str(root):
        return f"{str(root).rstrip('/')}/{name}"
    return str(Path(root).expanduser() / name)


class ShardDownload:
    """A shard's bytes, read once from the start to the end; a file object for ``tarfile``.

    Args:
        place: path, or http(s) or s3 address.
        entry: the shard, as its index knows it.
        closing: whether to give up; asked before each block and each pause.
    """

    def __init__(self, place: str, entry: ShardEntry, closing: Callable[[], bool] = lambda: False) -> None:
        self.place, self.entry = place, entry
        self._closing = closing
        self._remote = "://" in place
        self._file: Any = None
        self._offset = 0  # bytes that arrived
        self._rest = memoryview(b"")  # of a block
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """At most `size` bytes, fewer only at the end.

        Raises:
            StoreError: the shard is not there, is shorter than its index says, is no tar, or cannot be read.
        """
        parts: list[bytes] = []
        while size > 0:
            if not len(self._rest):
                self._rest = memoryview(self._block())
                if not len(self._rest):
                    break
            part, self._rest = self._rest[:size], self._rest[size:]
            parts.append(bytes(part))
            size -= len(part)
        return b"".join(parts)

    def finish(self) -> None:
        """Read what is left, and compare length and sha256 with the index.

        Raises:
            StoreError: they differ.
        """
        while self._block():
            pass
        if self._has_more():
            raise StoreError(f"{self._name()} is longer than the {self.entry.bytes} bytes in its index; {_REMEDY}")
        found = self._digest.hexdigest()
        if found != self.entry.sha256:
            raise StoreError(f"{self._name()} has sha256 {found}, expected is {self.entry.sha256}; {_REMEDY}")

    def _has_more(self) -> bool:
        try:
            return self._file is not None and len(self._file.read(1)) > 0
        except Exception:  # everything that was expected has arrived
            return False

    def close(self) -> None:
        """Close the connection."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _name(self) -> str:
        return f"shard {self.entry.name} from {self.place}"

    def _block(self) -> bytes:
        """The next bytes; none at the end."""
        left = self.entry.bytes - self._offset
        if left == 0:
            return b""
        data = self._piece(min(_BLOCK, left))
        if not data:
            raise self._cut_off()
        if self._offset == 0 and len(data) > _MAGIC.stop and data[_MAGIC] != b"ustar":
            raise StoreError(
                f"{self._name()} is no tar file but begins with {brief(data[:40])}; is this the address of the shards?"
            )
        self._offset += len(data)
        self._digest.update(data)
        return data

    def _cut_off(self) -> StoreError:
        return StoreError(
            f"{self._name()} ends after {self._offset} of {self.entry.bytes} bytes: it was cut off; {_REMEDY}"
        )

    def _piece(self, size: int) -> bytes:
        """At most `size` bytes from where the last ended; asks again after an error."""
        pause = _FIRST_PAUSE_S
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                if self._closing():
                    raise StoreError(f"{self._name()} is not wanted any more")
                if self._file is None:
                    self._file = open_at(self.place, self._offset, self.entry.bytes)
                data: bytes = self._file.read(size)
                if data or not self._remote:
                    return data
                reason = self._cut_off()
            except StoreError:
                self.close()
                raise
            except Exception as error:  # fsspec, aiohttp and botocore raise many kinds
                reason = self._given_up(error, attempt)
            self.close()
            if attempt < _ATTEMPTS:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
        raise reason

    def _given_up(self, error: Exception, attempt: int) -> StoreError:
        """The last error of several; raises at once where asking again is in vain."""
        status = getattr(error, "status", None)
        words = f"{type(error).__name__}: {brief(str(error) or repr(error))}"
        final = StoreError(
            f"{self._name()} cannot be read: {words}, {attempt} times at byte {self._offset} of {self.entry.bytes}; is "
            "its server reachable? The same command continues"
        )
        if isinstance(error, FileNotFoundError):
            raise StoreError(f"{self._name()} is missing; {_REMEDY}") from error
        refused = isinstance(status, int) and 400 <= status < 500 and status not in _BUSY
        if refused or not self._remote or isinstance(error, (PermissionError, ImportError)):
            raise StoreError(f"{self._name()} cannot be read: {words}; may it be read from here?") from error
        final.__cause__ = error
        return final


_REMEDY = "upload it again, or write the shards again"


def open_at(place: str, offset: int, size: int) -> Any:
    """A file object at byte `offset` of a path or address; `size` is the whole file's, if it is undamaged.

    Raises:
        StoreError: an answer that is a web page, or a program library is missing.
        Exception: whatever fsspec raises.
    """
    if "://" not in place:
        file: Any = Path(place).open("rb")  # noqa: SIM115
    elif place.startswith("s3://"):
        file = _filesystem("s3").open(place, "rb", block_size=4 * _BLOCK, cache_type="readahead")
    else:
        return _open_http(place, offset, size)
    file.seek(offset)
    return file


def _open_http(address: str, offset: int, size: int) -> Any:
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    # without a block size it is one answer that streams; with a size it is not asked for
    file = _filesystem("http").open(address, "rb", block_size=0, size=size, headers=headers)
    kind = file.r.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        file.close()
        raise StoreError(f"{address} answers with a web page ({kind}), not with a shard; is this the right address?")
    left = offset if file.r.status != 206 else 0  # a server without ranges begins again
    while left > 0:
        skipped = len(file.read(min(_BLOCK, left)))
        if not skipped:
            break
        left -= skipped
    return file


@functools.cache
def _filesystem(scheme: str) -> Any:
    """Filesystem of fsspec, whose connections all streams of this process share.

    Raises:
        StoreError: the package for the scheme is missing.
    """
    import fsspec  # type: ignore[import-untyped,unused-ignore]

    try:
        if scheme == "s3":
            return fsspec.filesystem("s3", default_block_size=4 * _BLOCK)
        import aiohttp

        silence = aiohttp.ClientTimeout(total=None, sock_connect=_SILENCE_S, sock_read=_SILENCE_S)
        return fsspec.filesystem(scheme, client_kwargs={"timeout": silence})
    except ImportError as error:
        raise StoreError(
            f"reading shards from {scheme} addresses needs {error.name}: pip install 'nrdfer[s3]'"
        ) from error
