"""Resolution of a device setting: one answer for detection, enhancement, training and evaluation.

Which NVIDIA cards a machine has, and why PyTorch sees none, is found by ``nvidia``.
"""

from __future__ import annotations

import logging
from functools import lru_cache

import torch

from nrdfer.core.errors import ProfileError
from nrdfer.runtime import nvidia
from nrdfer.runtime.engine import DEVICES

_log = logging.getLogger(__name__)


def pick_device(name: str) -> torch.device:
    """The device: "auto" takes a GPU if there is one.

    Raises:
        ProfileError: an unknown name; a GPU is requested and there is none; or "auto" where an NVIDIA card is there
            that PyTorch does not see, because days of computing on a CPU by mistake cost more than a message. Cards
            that were hidden on purpose (CUDA_VISIBLE_DEVICES), or not given to this container, are a warning.
    """
    if name not in DEVICES:
        raise ProfileError(f"device {name!r} is not known; use one of {', '.join(DEVICES)}")
    if name == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if name == "cuda":
        raise ProfileError(
            f"the device 'cuda' is requested, but PyTorch finds no GPU{_explained()}; use 'auto' or 'cpu'"
        )
    _accept_cpu()
    return torch.device("cpu")


def _explained() -> str:
    cards = nvidia.find_cards()
    if not cards.there:
        return ""
    unseen = nvidia.why_unseen(cards, nvidia.torch_build())
    return f" ({cards}: {unseen.reason}; {unseen.remedy})"


@lru_cache(maxsize=1)
def _accept_cpu() -> None:
    """Refuse, or warn once a process, where "auto" would compute on the CPU of a machine that has an NVIDIA card."""
    cards = nvidia.find_cards()
    if not cards.there:
        return
    unseen = nvidia.why_unseen(cards, nvidia.torch_build())
    if unseen.wanted:
        _log.warning("computing on the CPU, although this machine has %s: %s; %s", cards, unseen.reason, unseen.remedy)
        return
    raise ProfileError(
        f"the device 'auto' would compute on the CPU, although this machine has {cards}: {unseen.reason}. "
        f"To use the card: {unseen.remedy}. To accept the CPU: device: cpu (in a profile also engine: {{device: cpu}}; "
        f"--device cpu, or --engine device=cpu), or {nvidia.HIDING}= before the command"
    )
