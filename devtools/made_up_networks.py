"""Networks of a published size with made up weights: how fast a network is does not depend on their values."""

from __future__ import annotations

import torch
from torch import nn

from nrdfer.enhance.generator import EnlightenGenerator


def made_up_generator() -> EnlightenGenerator:
    """The published width; weights and statistics as if it had learnt something."""
    torch.manual_seed(0)
    generator = EnlightenGenerator()
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            module.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr]
            module.running_var.uniform_(0.05, 0.2)  # type: ignore[union-attr]
    return generator.eval()
