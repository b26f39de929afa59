"""Metadata of an exported network: what a program must know to use the file without this project.

Text fields in the file itself: ``metadata_props`` of an ONNX model, an extra file of a PyTorch program. How the graph
is written belongs to `export`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nrdfer.core.errors import NrdferError
from nrdfer.data.settings import Sampling
from nrdfer.models.base import NetworkSettings

EXTRA_FILE = "nrdfer.json"  # name in a .pt2
#: `nrdfer.data.augment.plain` and `warp`, in words.
RESIZE = (
    "bilinear on 8-bit values, the whole square crop to image_size x image_size, without antialiasing; pixel centres "
    "at +0.5, edges mirrored (cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)"
)
RANGE = "float32 from 0 to 1: 8-bit values divided by 255; no mean subtracted, no deviation divided by"


def metadata(settings: NetworkSettings, name: str, sampling: Sampling | None, origin: str = "") -> dict[str, str]:
    """What is written into an exported file; values are text, lists and settings as JSON.

    Args:
        settings: of the network.
        name: of the network, as a profile names it.
        sampling: how a clip becomes the network's frames, as in training; None: not known.
        origin: of the weights: address and sha256.
    """
    return {
        "network": name,
        "emotions": json.dumps(settings.emotions, ensure_ascii=False),  # in the order of the outputs
        "frames": str(settings.frames),
        "image_size": str(settings.image_size),
        "shape": f"(B, {settings.frames}, 3, {settings.image_size}, {settings.image_size})",
        "layout": "clips, frames, colours, height, width",
        "colour_order": "RGB",
        "range": RANGE,
        "resize": RESIZE,
        "sampling": "" if sampling is None else json.dumps(asdict(sampling)),
        "origin": origin,
    }


def write_metadata(path: Path, values: Mapping[str, str]) -> None:
    """Add metadata to an ONNX model that was just written."""
    import onnx

    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, dict(values))
    onnx.save(model, str(path))


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of an exported file.

    Raises:
        NrdferError: it is no ``.onnx`` or ``.pt2`` that can be read, or has none.
    """
    try:
        values = _of_onnx(path) if path.suffix == ".onnx" else _of_program(path)
    except Exception as error:  # of protobuf's and torch's readers
        raise NrdferError(f"{path} is no exported network: {type(error).__name__}") from error
    if "emotions" not in values:
        raise NrdferError(f"{path} has no metadata of an exported network; export it again with nrdfer export")
    return values


def _of_onnx(path: Path) -> dict[str, str]:
    import onnx

    return {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}


def _of_program(path: Path) -> dict[str, str]:
    import torch

    extra: dict[str, Any] = {EXTRA_FILE: ""}
    torch.export.load(path, extra_files=extra)
    return dict(json.loads(extra[EXTRA_FILE] or "{}"))
