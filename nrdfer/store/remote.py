"""Objects below one address: a bucket, a web server or a folder, through fsspec, which is loaded at the first request.

Keep here: what is asked of the other side. Keep out: waiting for it (``remote_requests``), and what the objects mean
(``transfers``). Credentials and the endpoint are the provider's own variables (``AWS_ACCESS_KEY_ID``,
``AWS_ENDPOINT_URL``), read by its library alone; an address that holds any is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote

from nrdfer.core.addresses import WEB, displayed
from nrdfer.core.atomic_files import sync, temporary_beside
from nrdfer.core.coerce import brief
from nrdfer.core.errors import StoreError
from nrdfer.core.redaction import hide, parted
from nrdfer.store.file_systems import FOLDER, S3, SCHEMES
from nrdfer.store.remote_requests import Moved, RemoteRequests, Seen, TooLargeError, UnreachableError

__all__ = ["Remote", "UnreachableError"]

_PART = 16 << 20  # bytes of a part of a large upload, of which two are in memory
_MOST_PARTS = 9_000  # S3 allows 10,000


class Remote(RemoteRequests):
    """Objects below one address.

    Args:
        address: ``s3://bucket/prefix``, ``gs://...``, ``file:///folder``, or ``http(s)://...``, which is only read.

    Raises:
        StoreError: it is none of these, or holds a user's name, a password or a query.
    """

    def __init__(self, address: str) -> None:
        scheme, info, rest = parted(address)
        text = displayed(address)
        if info or "@" in rest or "?" in rest or "#" in rest:
            raise StoreError(
                f"{hide(text.partition('?')[0])} holds a user's name, a password or a query; give the address alone, "
                "and credentials by the provider's own variables or files (of S3: AWS_ACCESS_KEY_ID and others)"
            )
        if scheme not in SCHEMES or not rest.strip("/") or (scheme == FOLDER and not rest.startswith("/")):
            raise StoreError(
                f"{brief(text)} is no place for artefacts; give s3://bucket/prefix, gs://bucket/prefix, "
                "https://server/path (read only) or file:///folder"
            )
        super().__init__(scheme, rest)

    @classmethod
    def of_folder(cls, folder: Path) -> Self:
        """A folder of this machine, whatever characters its path has."""
        made = cls.__new__(cls)
        RemoteRequests.__init__(made, FOLDER, str(folder))
        return made

    def read(self, key: str, most: int) -> bytes | None:
        """Content of an object; None if there is none.

        Raises:
            UnreachableError: see the class.
            ValueError: it has more than `most` bytes.
        """

        def call() -> bytes:
            size = self._files.info(self._path(key)).get("size") or 0
            if size > most:
                raise TooLargeError(f"it has {size:,} bytes")
            return bytes(self._files.cat_file(self._path(key)))

        try:
            return self._reach(call)
        except (FileNotFoundError, IsADirectoryError):
            return None

    def sizes(self, folder: str) -> dict[str, int | None]:
        """Bytes of every object below a folder, by its path there; None where a server does not say it."""

        def call() -> dict[str, int | None]:
            found = self._files.find(self._path(folder), detail=True)
            start = len(self._files._strip_protocol(self._path(folder))) + 1
            plain = unquote if self._scheme in WEB else str
            return {plain(path[start:]): about.get("size") for path, about in found.items()}

        try:
            return self._reach(call)
        except FileNotFoundError:
            return {}

    def names(self, folder: str) -> list[str]:
        """Names of what is directly in a folder."""
        try:
            found = self._reach(lambda: self._files.ls(self._path(folder), detail=False))
        except FileNotFoundError:
            return []
        return sorted({str(path).rstrip("/").rpartition("/")[2] for path in found})

    def write(self, key: str, data: bytes) -> None:
        """Write a small object."""
        if self._scheme != FOLDER:
            self._put(lambda: self._files.pipe_file(self._path(key), data))
            return
        with self._whole(key) as temporary:
            self._put(lambda: temporary.write_bytes(data))

    def remove(self, key: str) -> None:
        """Remove an object; one that is not there is no error.

        Raises:
            UnreachableError: see the class.
        """
        with contextlib.suppress(FileNotFoundError):
            self._put(lambda: self._files.rm_file(self._path(key)))

    def put(self, path: Path, key: str, sha256: str, seen: Seen = lambda _: None) -> None:
        """Upload a file; the object appears whole or not at all.

        Raises:
            UnreachableError: see the class.
        """
        import fsspec

        moved = Moved(seen)

        def call() -> None:
            reported = fsspec.callbacks.Callback(hooks={"seen": moved})
            options: dict[str, Any] = {}
            if self._scheme == S3:
                size = max(_PART, path.stat().st_size // _MOST_PARTS + 1)
                options = {"Metadata": {"sha256": sha256}, "chunksize": size, "max_concurrency": 2}
            self._files.put_file(str(path), self._path(key), callback=reported, **options)

        if self._scheme != FOLDER:
            self._put(call, moved)
            return
        with self._whole(key) as temporary:
            self._put(lambda: self._files.put_file(str(path), str(temporary)))

    def get(self, key: str, path: Path, seen: Seen = lambda _: None) -> None:
        """Download an object into a file.

        Raises:
            FileNotFoundError: there is no such object.
            UnreachableError: see the class.
            OSError: this machine's disk is full or not writable.
        """
        import fsspec

        moved = Moved(seen)

        def call() -> None:
            reported = fsspec.callbacks.Callback(hooks={"seen": moved})
            options = {"chunksize": _PART, "max_concurrency": 2} if self._scheme == S3 else {}
            self._files.get_file(self._path(key), str(path), callback=reported, **options)

        self._reach(call, moved)

    def stamp(self, key: str) -> str:
        """What tells, of an object of a folder, whether it was replaced since; empty for other kinds of addresses.

        Raises:
            UnreachableError: see the class.
        """
        if self._scheme != FOLDER:
            return ""
        try:
            about = self._reach(lambda: Path(self._path(key).removeprefix(FOLDER)).stat())
        except FileNotFoundError:
            return "none"
        return f"{about.st_ino} {about.st_mtime_ns}"

    def is_replaced(self, key: str, sha256: str, stamp: str) -> bool:
        """Whether another machine has replaced an object, as far as that is seen without reading it.

        Args:
            key: of the object.
            sha256: that it was uploaded with.
            stamp: what `stamp` said then.
        """
        if self._scheme == S3:
            return self.recorded_sha256(key) not in ("", sha256)
        return self.stamp(key) != stamp

    def recorded_sha256(self, key: str) -> str:
        """sha256 that the upload left at an object; empty if there is none, or the provider keeps no such note."""
        try:
            if self._scheme == S3:
                about: Mapping[str, str] = self._reach(lambda: self._files.metadata(self._path(key)))
                return about.get("sha256", "")
            return self.content_sha256(key) if self._scheme == FOLDER else ""
        except FileNotFoundError:
            return ""

    def content_sha256(self, key: str) -> str:
        """sha256 of an object's content, which is read as a stream.

        Raises:
            FileNotFoundError: there is no such object.
        """

        def call() -> str:
            digest = hashlib.sha256()
            with self._files.open(self._path(key), "rb", block_size=_PART, cache_type="readahead") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            return digest.hexdigest()

        return self._reach(call)

    def _path(self, key: str) -> str:
        return f"{self.address}/{quote(key) if self._scheme in WEB else key}".rstrip("/")

    @contextlib.contextmanager
    def _whole(self, key: str) -> Any:
        """A temporary file beside an object of a folder, renamed to it at the end: a cut upload must not be visible."""
        path = Path(self._path(key).removeprefix(FOLDER))
        self._reach(lambda: path.parent.mkdir(parents=True, exist_ok=True))
        temporary = temporary_beside(path)
        try:
            yield temporary
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
        except OSError as error:
            raise UnreachableError(f"{self.address} cannot be written: {error}") from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
