"""Multiply-adds of a network, counted in two ways: as computed, and as published figures were counted.

`count_macs` is what is really computed: PyTorch's counter, convolutions, linear layers, recurrent layers and
attention's products, each once. `count_published` reproduces the tool behind the published figures of this field (thop,
as it was in mid-2022) with the conventions of the code that it was applied to. Measured time belongs to ``bench``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nrdfer.models.encoder import EncoderLayer


def count_parameters(model: nn.Module) -> int:
    """Number of trainable parameters of a network."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(call: Callable[[], object]) -> int:
    """Multiply-adds of everything that `call` computes.

    The counter reports floating-point operations, two for each multiply-add. Norms, activations and biases are not in
    it.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops()) // 2


def count_published(model: nn.Module, call: Callable[[], object], *, encoder_layers_twice: bool) -> int:
    """Operations of `call` as thop counted them in mid-2022 (its rules: commit a976936 of its repository).

    Counted are convolutions with their biases, linear layers without, two operations a value of batch and layer
    normalisation, and recurrent layers gate by gate; activations, pooling and attention's products are not.

    Args:
        model: the network that `call` runs.
        call: the computation.
        encoder_layers_twice: whether to count transformer layers double, as in NR-DFERNet's published figures: the
            author's shortcut runs its sub-layer once for the output and once for the attention map, and thop adds both.
    """
    total = 0
    inside = {id(part) for layer in model.modules() if isinstance(layer, EncoderLayer) for part in layer.modules()}

    def add(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal total
        times = 2 if encoder_layers_twice and id(module) in inside else 1
        total += times * _thop(module, inputs[0], output)

    with torch.no_grad(), _hooked(model, add):
        call()
    return total


@contextmanager
def _hooked(model: nn.Module, hook: Callable[[nn.Module, tuple[Any, ...], Any], None]) -> Iterator[None]:
    handles = [module.register_forward_hook(hook) for module in model.modules() if not list(module.children())]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _thop(module: nn.Module, x: Tensor, output: Any) -> int:
    """Operations of one layer, by thop's rules."""
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        kernel = module.weight[0].numel()  # channels in a group x kernel
        return int(output.numel()) * (kernel + (module.bias is not None))
    if isinstance(module, nn.Linear):
        return int(output.numel()) * module.in_features
    if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d | nn.LayerNorm):
        return 2 * x.numel()
    if isinstance(module, nn.LSTM | nn.GRU):
        steps = x.shape[0] * x.shape[1]
        return steps * _thop_cell(module.mode, module.input_size, module.hidden_size)
    return 0


def _thop_cell(mode: str, inputs: int, hidden: int) -> int:
    """One step of a recurrent layer with biases: each gate's products, its sum and its two biases, and the state's."""
    gate = (inputs + hidden) * hidden + 3 * hidden
    return 4 * gate + 4 * hidden if mode == "LSTM" else 3 * gate + 4 * hidden
