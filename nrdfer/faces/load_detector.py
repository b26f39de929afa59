"""Loading RetinaFace weights: both published families, and this project's own files.

The sources of published weights belong to `nrdfer.weights.catalogue`; detection to `nrdfer.faces.detector`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from safetensors import SafetensorError, safe_open
from torch import Tensor

from nrdfer.core.errors import WeightsError
from nrdfer.faces.detector import FaceDetector
from nrdfer.faces.input_conventions import CONVENTIONS, KNOWN_FILES, REFUSED_FILES, Convention
from nrdfer.faces.network import BACKBONES, Backbone, RetinaFaceNet
from nrdfer.faces.weights_check import check_detector
from nrdfer.models.state_dict import fitted, plain_names, read_state_dict
from nrdfer.weights.catalogue import content_ids, refuse_pointer


def load_detector(
    path: Path,
    *,
    convention: str | None = None,
    threshold: float = 0.7,
    max_side: int = 640,
    device: str = "cpu",
    backend: str = "auto",
    self_test: bool = True,
) -> FaceDetector:
    """Load a checkpoint of either family, or this project's own.

    Args:
        path: a ``.pth`` state dict with the names of Pytorch_Retinaface (wrappers are taken off, see
            `nrdfer.models.state_dict`), or a ``.safetensors`` of this project, which states backbone and convention.
        convention: "pytorch_retinaface" or "retinaface_pytorch"; needed for a ``.pth`` whose content is not
            known.
        threshold: see `FaceDetector`.
        max_side: see `FaceDetector`.
        device: see `FaceDetector`.
        backend: see `FaceDetector`.
        self_test: whether a file of unknown content is first tested on rendered faces.

    Raises:
        WeightsError: the file is missing, damaged, holds code, is of another network, its convention is unknown or
            contradicts the one given, or the self-test finds that it does not see faces this way.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"RetinaFace weights {path} do not exist; correct the path or get the file")
    refuse_pointer(path)
    if convention is not None and convention not in CONVENTIONS:
        raise WeightsError(f"convention {convention!r} is not known; use one of {', '.join(CONVENTIONS)}")
    stated: Convention | None
    if path.suffix == ".safetensors":
        tensors, stated = _read_safetensors(path)
    else:
        stated = _known_convention(path)
        tensors = read_state_dict(path)
    known = stated is not None
    if stated is None:
        if convention is None:
            raise WeightsError(
                f"{path} is not a published file this project knows, and the file does not state which input "
                f"it expects; state it with convention={' or '.join(repr(name) for name in CONVENTIONS)}"
            )
        stated = CONVENTIONS[convention]
    elif convention is not None and stated.name != convention:
        raise WeightsError(f"{path} expects the input convention {stated.name!r}, not {convention!r}; drop the setting")
    detector = FaceDetector(
        _fitted(tensors, path), stated, threshold=threshold, max_side=max_side, device=device, backend=backend
    )
    if self_test and not known:
        check_detector(detector, path)
    return detector


def _known_convention(path: Path) -> Convention | None:
    sha256, _ = content_ids(path)
    if sha256 in REFUSED_FILES:
        raise WeightsError(f"{path} cannot be used: {REFUSED_FILES[sha256]}")
    return KNOWN_FILES.get(sha256)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Convention]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors ({error}); it may be cut short") from error
    if metadata.get("format") != "nrdfer-retinaface" or metadata.get("convention") not in CONVENTIONS:
        raise WeightsError(
            f"{path} is a safetensors file without this project's RetinaFace metadata (format "
            f"'nrdfer-retinaface', convention one of {', '.join(CONVENTIONS)}); use a .pth, or weights made by "
            "`python -m devtools.pretraining.retinaface` in a checkout of the project"
        )
    return plain_names(tensors, path), CONVENTIONS[metadata["convention"]]


def _fitted(tensors: Mapping[str, Tensor], path: Path) -> RetinaFaceNet:
    backbone: Backbone = "resnet50" if "body.layer1.0.conv1.weight" in tensors else "mobilenet0.25"
    what = f"a RetinaFace of {' or '.join(BACKBONES)} with the tensor names of Pytorch_Retinaface"
    return cast(RetinaFaceNet, fitted(lambda: RetinaFaceNet(backbone), tensors, path, what))
