"""Input conventions of the two families of RetinaFace checkpoints, and the published files known to follow them.

The two families share every tensor name and shape but expect different input; with the wrong one the network still
works, but misses a quarter of the faces. Reading files and running networks is not done here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Convention:
    """Conversion of a picture to the network's input: channel order, then ``(value - mean) / std`` on 0 to 255."""

    name: str
    bgr: bool
    mean: tuple[float, float, float]  # in the channel order fed to the network
    std: tuple[float, float, float]


#: github.com/biubug6/Pytorch_Retinaface.
PYTORCH_RETINAFACE = Convention("pytorch_retinaface", True, (104.0, 117.0, 123.0), (1.0, 1.0, 1.0))
#: github.com/ternaus/retinaface: RGB with ImageNet's statistics.
RETINAFACE_PYTORCH = Convention("retinaface_pytorch", False, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
CONVENTIONS: Mapping[str, Convention] = {c.name: c for c in (PYTORCH_RETINAFACE, RETINAFACE_PYTORCH)}

#: Published files whose convention is known from their content (sha256).
KNOWN_FILES: Mapping[str, Convention] = {
    "2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220": PYTORCH_RETINAFACE,
    "6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d": PYTORCH_RETINAFACE,
}
#: Files that load but cannot work here (sha256), and why.
REFUSED_FILES: Mapping[str, str] = {
    "ed6fa7d45a5179f03cb5ce82c73b0c6711372968e53782e88395acee88d319e1": (
        "it belongs to Face-Detector-1MB-with-landmark, which has the same tensors but other anchors"
    ),
}
