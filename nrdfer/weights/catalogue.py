"""Pretrained weights: what each file is, how its content is pinned, and where it is found.

Content is pinned by hash, so neither the folder nor the uploader needs to be trusted. The transfer from the hub is
in `nrdfer.weights.hub`; loading tensors belongs to `nrdfer.models.state_dict` and the modules that own the networks;
training the sample weights belongs to ``devtools.pretraining``, which is not installed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nrdfer.core.atomic_files import open_plain
from nrdfer.core.errors import AbsentWeightsError, WeightsError

_SAMPLES = Path(__file__).parent / "sample"
_POINTER = b"version https://git-lfs.github.com/spec/"
_CHUNK = 1 << 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PinnedWeights:
    """One published weights file.

    At least one of `sha256` and `git_blob` is set; the file's content must match every pin that is. `repo`,
    `revision` and `filename` locate it on the Hugging Face hub; `repo` is None where no hub repository is
    known to carry it, and the user has to bring the file.
    """

    name: str
    description: str
    filename: str
    licence: str
    source: str  # prose: where a person gets the file
    repo: str | None = None
    repo_type: str | None = None
    revision: str | None = None
    size: int | None = None  # bytes
    sha256: str | None = None
    git_blob: str | None = None

    def __post_init__(self) -> None:
        if not (self.sha256 or self.git_blob):
            raise ValueError(f"weights {self.name!r} are not pinned: give sha256 or git_blob")
        if self.repo and not (self.revision and self.size):
            raise ValueError(f"weights {self.name!r} name a hub repository without a revision and a size")

    @property
    def content_id(self) -> str:
        """The pin as text for messages."""
        return f"sha256 {self.sha256}" if self.sha256 else f"git blob id {self.git_blob}"


_RETINAFACE_LICENCE = "MIT (code and weights); trained on WIDER FACE, a data set for research"
_RETINAFACE_SOURCE = (
    "the releases of github.com/biubug6/Pytorch_Retinaface (linked from its README), also attached to "
    "release v0.1.0 of github.com/xinntao/facexlib as {release}"
)

CATALOGUE: Mapping[str, PinnedWeights] = {
    entry.name: entry
    for entry in (
        PinnedWeights(
            name="retinaface-resnet50",
            description="RetinaFace with ResNet50 of Pytorch_Retinaface (BGR, mean 104,117,123)",
            repo="datnguyentien204/FaceDetection",
            repo_type="dataset",
            revision="0fb8f70b5b7219a8ce20b53dcd291a69fec00902",
            filename="Retinaface_model_v2/Resnet50_Final.pth",
            size=109_497_761,
            sha256="6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d",
            licence=_RETINAFACE_LICENCE,
            source=_RETINAFACE_SOURCE.format(release="detection_Resnet50_Final.pth"),
        ),
        PinnedWeights(
            name="retinaface-mobilenet0.25",
            description="RetinaFace with MobileNet 0.25 of Pytorch_Retinaface (BGR, mean 104,117,123)",
            repo="datnguyentien204/FaceDetection",
            repo_type="dataset",
            revision="0fb8f70b5b7219a8ce20b53dcd291a69fec00902",
            filename="Retinaface_model_v2/mobilenet0.25_Final.pth",
            size=1_789_735,
            sha256="2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
            licence=_RETINAFACE_LICENCE,
            source=_RETINAFACE_SOURCE.format(release="detection_mobilenet0.25_Final.pth"),
        ),
        # No hub repository is known to carry this file; a git blob id pins its content as a sha256 does.
        PinnedWeights(
            name="enlightengan",
            description="EnlightenGAN's generator after 200 epochs, as published by VITA-Group",
            filename="200_net_G_A.pth",
            git_blob="6b4c94cee16aa044ac2d3b3d851ddb495d532644",
            licence="BSD 2-clause, (c) 2019 Yifan Jiang and Zhangyang Wang",
            source=(
                "the Google Drive link 'pretrained model' in the README of "
                "github.com/VITA-Group/EnlightenGAN (file id 1AkV-n2MdyfuZTFvcon8Z4leyVb0i7x63)"
            ),
        ),
        PinnedWeights(
            name="enlightengan-onnx",
            description="The same generator as an ONNX model, as published in EnlightenGAN-inference",
            filename="enlighten.onnx",
            git_blob="bba93d2dae054f3e509bbe7850059d14377e7fe7",
            licence="MIT (model file); weights BSD 2-clause, (c) 2019 Yifan Jiang and Zhangyang Wang",
            source=(
                "enlighten_inference/enlighten.onnx of github.com/arsenyinfo/EnlightenGAN-inference at commit "
                "6b68a71f0b973912cffad25bff243b28530de823"
            ),
        ),
    )
}


def entry(name: str) -> PinnedWeights:
    """The catalogue's entry.

    Raises:
        WeightsError: no such name.
    """
    try:
        return CATALOGUE[name]
    except KeyError:
        raise WeightsError(f"no weights are called {name!r}; known are {', '.join(sorted(CATALOGUE))}") from None


def sample_weights(name: str) -> Path:
    """The small weights that ship with the project: ``retinaface`` or ``enlightengan``.

    Raises:
        WeightsError: no such name, or the installation lacks the file.
    """
    path = _SAMPLES / f"{name}.safetensors"
    known = ("retinaface", "enlightengan")
    if name not in known:
        raise WeightsError(f"no sample weights are called {name!r}; there are {' and '.join(known)}")
    if not path.is_file():
        raise WeightsError(f"the sample weights {path} are missing from this installation; install the project again")
    refuse_pointer(path)
    return path


def refuse_pointer(path: Path) -> None:
    """Raise WeightsError if a file is a Git LFS pointer, whose content has not been fetched."""
    if _is_pointer(path):
        raise WeightsError(
            f"{path} is a Git LFS pointer of {path.stat().st_size} bytes, not weights; "
            "run `git lfs pull` where it was cloned, or download the file itself"
        )


def _is_pointer(path: Path) -> bool:
    with open_plain(path) as file:
        return file.read(len(_POINTER)) == _POINTER


def content_ids(path: Path) -> tuple[str, str]:
    """The sha256 and the git blob id (sha1 of ``blob <size>``, a zero byte, and the content) of a file."""
    sha256 = hashlib.sha256()
    blob = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with open_plain(path) as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            blob.update(chunk)
    return sha256.hexdigest(), blob.hexdigest()


def verify(path: Path, pinned: PinnedWeights) -> None:
    """Check that a file's content is the pinned one.

    Raises:
        WeightsError: the file is missing, a Git LFS pointer, or has other content; the message holds both
            ids.
    """
    if not path.is_file():
        raise WeightsError(f"{path} does not exist; wanted: {pinned.description} ({pinned.content_id})")
    try:
        refuse_pointer(path)
        problem = _mismatch(path, pinned)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}); wanted: {pinned.description}") from error
    if problem:
        raise WeightsError(
            f"{path} is not {pinned.description}: {problem}. It may be cut short, or another version; get it "
            f"again from {pinned.source}"
        )


def _mismatch(path: Path, pinned: PinnedWeights) -> str | None:
    size = path.stat().st_size
    if pinned.size is not None and size != pinned.size:
        return f"it has {size:,} bytes, expected {pinned.size:,}"
    sha256, blob = content_ids(path)
    if pinned.sha256 is not None and sha256 != pinned.sha256:
        return f"its sha256 is {sha256}, expected {pinned.sha256}"
    if pinned.git_blob is not None and blob != pinned.git_blob:
        return f"its git blob id is {blob}, expected {pinned.git_blob}"
    return None


def resolve(name: str, local: Path | None = None, *, allow_download: bool = False) -> Path:
    """Find published weights: in the given folder or file, then the hub's cache, then on the hub.

    Args:
        name: a name in `CATALOGUE`.
        local: a folder, in which any file with the right content is taken whatever its name; or the file
            itself.
        allow_download: False looks in the hub's local cache only and opens no connection.

    Returns:
        A file whose content has been verified. A download becomes visible only when it is whole and verified.

    Raises:
        AbsentWeightsError: not found without a download; the message says where to get the file, its content id and
            where to put it.
        WeightsError: the download failed, or what was found has other content.
    """
    pinned = entry(name)
    if local is not None:
        if not local.exists():
            raise WeightsError(f"the weights path {local} does not exist; create the folder or correct the setting")
        if local.is_file():
            verify(local, pinned)
            return local
        found = _search(local, pinned)
        if found is not None:
            return found
    if pinned.repo is None:
        raise AbsentWeightsError(_how_to_get(pinned, local, "no hub repository is known to carry it"))
    return _from_hub(pinned, local, allow_download=allow_download)


def _search(folder: Path, pinned: PinnedWeights) -> Path | None:
    wanted = Path(pinned.filename).name
    wrong = []
    # The file of the published name first: where it is wrong, that is what the user needs to hear.
    for path in sorted(folder.rglob("*"), key=lambda path: (path.name != wanted, path)):
        try:
            if not path.is_file():
                continue
            if path.name == wanted:
                wrong.append(path)
                refuse_pointer(path)
            if _mismatch(path, pinned) is None:
                return path
        except OSError as error:  # another may be the right one
            _log.warning("%s cannot be read (%s) and is skipped", path, error.strerror)
    for path in wrong:
        verify(path, pinned)
    return None


def _from_hub(pinned: PinnedWeights, local: Path | None, *, allow_download: bool) -> Path:
    from nrdfer.weights.hub import HubFile, download  # only needed here; most runs have local files

    file = HubFile(
        repo=str(pinned.repo),
        repo_type=pinned.repo_type,
        revision=str(pinned.revision),
        filename=pinned.filename,
        size=pinned.size or 0,
        content=str(pinned.sha256 or pinned.git_blob),
    )
    if file.cached.is_file():
        problem = _problem(file.cached, pinned)
        if problem is None:
            return file.cached
        if not allow_download:
            raise AbsentWeightsError(
                f"{file.cached}, in the hub's local cache, is not {pinned.description}: {problem}. "
                f"`nrdfer weights fetch {pinned.name}` replaces it"
            )
        _log.warning("%s in the hub's local cache is downloaded again: %s", file.cached, problem)
    elif not allow_download:
        reason = "it is not in the hub's local cache either, and downloading is not allowed by the settings"
        raise AbsentWeightsError(_how_to_get(pinned, local, reason))
    try:
        return download(file, lambda path: _problem(path, pinned))
    except WeightsError as error:
        raise WeightsError(_how_to_get(pinned, local, str(error))) from error


def _problem(path: Path, pinned: PinnedWeights) -> str | None:
    return "it is a Git LFS pointer, not weights" if _is_pointer(path) else _mismatch(path, pinned)


def _how_to_get(pinned: PinnedWeights, local: Path | None, reason: str) -> str:
    where = f"into the folder {local}" if local is not None else "into a folder and name that folder in the settings"
    looked = f"not found in {local}" if local is not None else "no local folder was given"
    return (
        f"{pinned.description}: {looked}, and {reason}. Get {Path(pinned.filename).name} from "
        f"{pinned.source} and put it {where}, under any name; its content must have the {pinned.content_id}."
    )
