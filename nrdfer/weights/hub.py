"""One pinned file of the Hugging Face hub: searched in the hub's local cache, and downloaded into it.

The client's `hf_hub_download` starts from the beginning after a process was killed, and stores whatever was served
under the name that later calls use. So its addresses, its transfer and its cache's layout are used, and the rest is
here: bytes are collected in a file of another name, the next call resumes them, and they get the final name only once
their content was checked. No token is sent but one that the caller gives, nor anything about this machine. Which files
there are is stated in `nrdfer.weights.catalogue`, and by a repository's manifest (`nrdfer.weights.hub_manifest`).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import constants, hf_hub_url
from huggingface_hub.file_download import http_get, repo_folder_name

from nrdfer.core.atomic_files import sync
from nrdfer.core.errors import WeightsError
from nrdfer.core.file_locks import held

_log = logging.getLogger(__name__)
#: The only headers sent to the hub besides a token. A compressed transfer could not be resumed.
HEADERS = {"user-agent": "nrdfer", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class HubFile:
    """Location of a file on the hub, and the facts known about its content."""

    repo: str
    repo_type: str | None  # None: a model
    revision: str  # a commit
    filename: str
    size: int  # bytes
    content: str  # a hash of the content; names the unfinished download
    token: str | None = field(default=None, repr=False)  # sent to the hub, for a private repository

    @property
    def _name(self) -> str:
        return repo_folder_name(repo_id=self.repo, repo_type=self.repo_type or "model")

    @property
    def cached(self) -> Path:
        """Path in the cache after a download, by this project or any other."""
        return _cache() / self._name / "snapshots" / self.revision / self.filename

    @property
    def unfinished(self) -> Path:
        """Path of the partial download. The ending lets the client's own tools clear forgotten downloads away."""
        return _cache() / self._name / "blobs" / f"{self.content}.nrdfer.incomplete"

    @property
    def lock(self) -> Path:
        """Lock held during the download."""
        return _cache() / ".locks" / self._name / f"{self.content}.nrdfer.lock"

    @property
    def url(self) -> str:
        """Its address on the hub."""
        return hf_hub_url(self.repo, self.filename, repo_type=self.repo_type, revision=self.revision)


def _cache() -> Path:
    return Path(constants.HF_HUB_CACHE).expanduser()


def download(file: HubFile, problem: Callable[[Path], str | None]) -> Path:
    """Download a file into the cache, resuming an interrupted download; a progress bar on terminals.

    Args:
        file: what to download.
        problem: returns why a file's content is not the wanted one; None if it is.

    Returns:
        The file in the cache. One with other content is moved away.

    Raises:
        WeightsError: it could not be downloaded (what came is kept for the next call), or its content is
            another one (nothing is kept).
    """
    part = file.unfinished
    try:
        with held(file.lock):
            if file.cached.is_file() and problem(file.cached) is None:
                return file.cached  # another process was faster
            continued = part.is_file()
            _transfer(file, part)
            found = problem(part)
            if found is not None and continued:  # what an earlier call left may have been damaged by a power cut
                part.unlink()
                _transfer(file, part)
                found = problem(part)
            if found is not None:
                part.unlink()
                raise WeightsError(
                    f"the download from {file.url} was refused: {found}. It was removed; another call retries"
                )
            sync(part)
            file.cached.parent.mkdir(parents=True, exist_ok=True)
            _rename_unverified(file)
            part.replace(file.cached)
            sync(file.cached.parent)
    except WeightsError:
        raise
    except Exception as error:  # the client raises its own, its HTTP library's and the system's errors
        kept = part.stat().st_size if part.is_file() else 0
        if not kept:
            part.unlink(missing_ok=True)
        goes_on = f"; {kept:,} of {file.size:,} bytes are here and the next call resumes there" if kept else ""
        raise WeightsError(
            f"downloading {file.filename} from the hub repository {file.repo} failed ({error}){goes_on}"
        ) from error
    return file.cached


def _rename_unverified(file: HubFile) -> None:
    """Keep a file that has the name but other content: it may be needed by someone else."""
    if os.path.lexists(file.cached):
        kept = file.unfinished.with_name(f"{file.content}.{time.time_ns()}.nrdfer-other")
        file.cached.rename(kept)
        _log.warning("%s had other content; that is kept as %s", file.cached, kept)


def _transfer(file: HubFile, part: Path) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as target:
        if target.tell() > file.size:  # not of this file
            target.truncate(0)
            target.seek(0)
        if target.tell() < file.size:
            name = Path(file.filename).name
            headers = {**HEADERS, **({"authorization": f"Bearer {file.token}"} if file.token else {})}
            http_get(file.url, target, resume_size=target.tell(), headers=headers, displayed_filename=name)
