"""A trained network of the Hugging Face hub in the local cache: found or downloaded, every file checked by its sha256.

One commit of a repository is meant, whose files never change, so that what is in the cache needs no network. A token is
sent only where the hub refuses to answer without one. Publishing belongs to ``nrdfer.publish``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrdfer.core.errors import WeightsError
from nrdfer.core.plain_text import one_line
from nrdfer.core.redaction import HIDDEN
from nrdfer.weights.catalogue import content_ids
from nrdfer.weights.hub_address import SCHEME, HubAddress, parse_hub_address
from nrdfer.weights.hub_manifest import MANIFEST, MOST_TEXT, SUFFIXES, HubManifest, ManifestFile, read_hub_manifest

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo, RepoSibling

_COMMIT = re.compile("[0-9a-f]{40}")  # or a file's number in git
_OF_GIT = ".gitattributes"  # the hub adds it to every repository
_PATIENCE = 30.0  # seconds for an answer without files
_AGAIN = "Use another revision, or have its owner push the model again"


@dataclass(frozen=True)
class HubVersion:
    """One commit of a model on the hub, in the cache."""

    address: HubAddress  # with the commit
    manifest: HubManifest
    files: Mapping[str, Path]  # as in the manifest


def pinned(model: str) -> str:
    """An address on the hub with its commit, asked for where it has none; any other address as it is.

    Raises:
        WeightsError: it is no address, there is no such repository or revision, or the hub cannot be asked.
    """
    if not model.startswith(SCHEME):
        return model
    address = parse_hub_address(model)
    return model if address.is_commit else str(HubAddress(address.repo, _commit(address, _look_up(address)[0])))


def fetch_version(address: HubAddress) -> HubVersion:
    """The files of a model on the hub: those of the cache if they are there, whole and unchanged, else downloaded.

    Raises:
        WeightsError: it is not there or may not be read, has files of other kinds, lacks one, or one has another
            content than its manifest says; no such file is used.
    """
    if address.is_commit and (cached := _in_cache(address)) is not None:
        return cached
    info, token = _look_up(address)
    address = HubAddress(address.repo, _commit(address, info))
    listed = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    _refuse_others(address, listed)
    manifest = _manifest(address, listed[MANIFEST], token)
    if missing := [name for name in manifest.files if name not in listed]:
        raise WeightsError(f"{address} is refused: {', '.join(missing)} of its {MANIFEST} is missing there. {_AGAIN}")
    return HubVersion(
        address, manifest, {name: _download(address, name, file, token) for name, file in manifest.files.items()}
    )


def _commit(address: HubAddress, info: ModelInfo) -> str:
    """The commit that the hub answers with, which becomes part of paths.

    Raises:
        WeightsError: it is none, or another one than was asked for.
    """
    commit = str(info.sha)
    if not _COMMIT.fullmatch(commit) or (address.is_commit and commit != address.revision):
        raise WeightsError(f"{address} is refused: the hub answers with the commit {one_line(commit[:80])!r}. {_AGAIN}")
    return commit


def _refuse_others(address: HubAddress, names: Mapping[str, Any]) -> None:
    """Refuse a repository with files that may hold code, though none of them would be read."""
    other = sorted(name for name in names if not name.endswith(SUFFIXES) and name != _OF_GIT)
    if other:
        raise WeightsError(
            f"{address} is refused: it holds {one_line(other[0][:100])}; only {', '.join(SUFFIXES)} are accepted, "
            f"because other files may run code when they are opened. {_AGAIN}"
        )
    if MANIFEST not in names:
        raise WeightsError(
            f"{address} has no {MANIFEST}, so it is unknown what its files must be; only models that `nrdfer push` "
            "published can be opened"
        )


def _manifest(address: HubAddress, sibling: RepoSibling, token: str | None) -> HubManifest:
    size, blob = sibling.size, str(sibling.blob_id)
    if sibling.lfs is not None or not isinstance(size, int) or not 0 < size <= MOST_TEXT or not _COMMIT.fullmatch(blob):
        raise WeightsError(f"{address} is refused: its {MANIFEST} has no plain content of at most {MOST_TEXT:,} bytes")
    path = _transfer(
        address, MANIFEST, size, blob, token, lambda file: "" if content_ids(file)[1] == blob else "its content differs"
    )
    return read_hub_manifest(path.read_bytes(), str(address))


def _download(address: HubAddress, name: str, wanted: ManifestFile, token: str | None) -> Path:
    return _transfer(address, name, wanted.size, wanted.sha256, token, lambda path: _difference(path, wanted))


def _difference(path: Path, wanted: ManifestFile) -> str:
    """Difference between a file and its entry in the manifest; empty if there is none."""
    if (size := path.stat().st_size) != wanted.size:
        return f"it has {size:,} bytes, and {wanted.size:,} in {MANIFEST}"
    there = content_ids(path)[0]
    return "" if there == wanted.sha256 else f"its sha256 is {there[:12]}, and {wanted.sha256[:12]} in {MANIFEST}"


def _transfer(
    address: HubAddress, name: str, size: int, content: str, token: str | None, problem: Callable[[Path], str]
) -> Path:
    from nrdfer.weights.hub import HubFile, download

    file = HubFile(address.repo, None, str(address.revision), name, size, content, token)
    try:
        return download(file, lambda path: problem(path) or None)
    except WeightsError as error:
        raise WeightsError(f"{address} cannot be used: {without(token, str(error))}") from error


def _in_cache(address: HubAddress) -> HubVersion | None:
    """What is in the cache of a commit, if everything is there and as its manifest says."""
    from nrdfer.weights.hub import HubFile

    def cached(name: str) -> Path:
        return HubFile(address.repo, None, str(address.revision), name, 0, "").cached

    place = cached(MANIFEST)
    if not place.is_file() or place.stat().st_size > MOST_TEXT:
        return None
    manifest = read_hub_manifest(place.read_bytes(), f"{address} in {place.parent}")
    files = {name: cached(name) for name in manifest.files}
    if not all(files[name].is_file() and not _difference(files[name], file) for name, file in manifest.files.items()):
        return None
    return HubVersion(address, manifest, files)


def _look_up(address: HubAddress) -> tuple[ModelInfo, str | None]:
    """The hub's entry of a revision, and the token that it took, if it took one."""
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    from nrdfer.weights.hub import HEADERS

    tokens: Sequence[str | None] = (None, *filter(None, [get_token()]))
    for token in tokens:
        api = HfApi(token=token or False, headers=dict(HEADERS))
        try:
            info = api.model_info(address.repo, revision=address.revision, files_metadata=True, timeout=_PATIENCE)
        except RevisionNotFoundError as error:
            raise WeightsError(
                f"the hub's repository {address.repo} has no revision {address.revision}; give a branch, a tag or a "
                "whole commit of it"
            ) from error
        except (RepositoryNotFoundError, GatedRepoError) as error:
            if token == tokens[-1]:
                raise WeightsError(_not_found(address, token)) from error
        except Exception as error:  # the client raises its own, its HTTP library's and the system's errors
            raise WeightsError(
                f"the hub at {api.endpoint} cannot be asked about {address} ({without(token, brief(error))}). A model "
                "that was downloaded before needs no network if its address has the whole commit: "
                f"hf://{address.repo}@COMMIT"
            ) from error
        else:
            return info, token
    raise AssertionError("unreachable")


def _not_found(address: HubAddress, token: str | None) -> str:
    here = "your token may not read it" if token else "no token is on this machine"
    return (
        f"there is no repository {address.repo} on the hub, or it is private or gated and {here}. Check the name; for "
        "a private one, log in with `hf auth login` or set HF_TOKEN, with a token that may read it"
    )


def without(token: str | None, text: str) -> str:
    """A message without the token."""
    return text.replace(token, HIDDEN) if token else text


def brief(error: Exception) -> str:
    """An error of the hub's client on one line."""
    text = str(error).strip() or type(error).__name__
    return one_line(" ".join(text.split()))[:300]
