"""Check of a network of another package or a user's file before it is trained: one small forward pass."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from nrdfer.core.errors import PluginError
from nrdfer.core.plugins import last_line
from nrdfer.models.base import ClipNetwork
from nrdfer.models.state_dict import plain_names
from nrdfer.models.trained_files import LAST
from nrdfer.models.wrapped_network import refuse_other_answer

_CLIPS = 2


def check_network(network: ClipNetwork, title: str) -> None:
    """Let a network answer two clips of noise, and check its answer and its weights.

    Neither its weights nor the state of torch's random numbers change.

    Args:
        network: on the CPU.
        title: for messages.

    Raises:
        PluginError: it fails, answers with something else than finite logits (B, K), has nothing to learn, or has
            weights that could not be stored.
    """
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise PluginError(f"the {title} has no parameter that is trained; register its layers as attributes")
    _refuse_unstorable(network, title)
    s, training = network.settings, network.training
    x_BTCHW = torch.rand(
        _CLIPS, s.frames, 3, s.image_size, s.image_size, generator=torch.Generator().manual_seed(0)
    )  # not zeros, which a network may divide by
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            logits_BK = network.eval()(x_BTCHW)
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(
                f"the {title} fails on clips of shape {tuple(x_BTCHW.shape)} (clips, frames, RGB, height, width), "
                f"values 0 to 1: {last_line(error)}"
            ) from error
        finally:
            network.train(training)
    refuse_other_answer(logits_BK, x_BTCHW, s.classes, title)
    bad = int((~logits_BK.isfinite()).sum())
    if bad:
        raise PluginError(
            f"the {title} answers noise of values 0 to 1 with {bad} of {logits_BK.numel()} logits that are NaN or "
            "infinite; look for a division by zero, or for weights that are never initialised"
        )


def _refuse_unstorable(network: ClipNetwork, title: str) -> None:
    weights = network.state_dict()
    odd = next((name for name, value in weights.items() if not isinstance(value, Tensor)), None)
    if odd is not None:
        raise PluginError(f"the {title} has state that is no tensor ({odd}) and cannot be stored as safetensors")
    if plain_names(weights, Path(LAST)).keys() != weights.keys():
        raise PluginError(f"the {title} holds a compiled or a parallel module; leave that to the engine's settings")
