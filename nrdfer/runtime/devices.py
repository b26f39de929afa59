"""Resolution of a device setting: one answer for detection, enhancement, training and evaluation."""

from __future__ import annotations

import torch

from nrdfer.core.errors import ProfileError
from nrdfer.runtime.engine import DEVICES


def pick_device(name: str) -> torch.device:
    """The device: "auto" takes a GPU if there is one.

    Raises:
        ProfileError: an unknown name, or a GPU is requested and there is none.
    """
    if name not in DEVICES:
        raise ProfileError(f"device {name!r} is not known; use one of {', '.join(DEVICES)}")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ProfileError("the device 'cuda' is requested, but PyTorch finds no GPU; use 'auto' or 'cpu'")
    return torch.device("cuda" if name != "cpu" and there else "cpu")
