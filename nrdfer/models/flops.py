"""What a network costs: parameters, and multiply-adds as PyTorch counts them.

Convolutions, linear layers and attention's matrix products count; norms and activations do not. The paper's Table 3
used another tool, and counted every transformer layer twice. Time on a clock belongs to ``bench``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> int:
    """Learned numbers of a network."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(call: Callable[[], object]) -> int:
    """Multiply-adds of everything that `call` computes.

    The counter reports floating-point operations, two for each multiply-add.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops()) // 2
