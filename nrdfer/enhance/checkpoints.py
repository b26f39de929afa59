"""Reading files that hold EnlightenGAN's generator: the original's state dict, the public ONNX model, this project's.

Which published file is wanted, and whether its content is the pinned one, belongs to `nrdfer.weights.catalogue`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from nrdfer.core.errors import WeightsError
from nrdfer.enhance.generator import EnlightenGenerator
from nrdfer.models.state_dict import fitted, plain_names, read_state_dict
from nrdfer.weights.catalogue import refuse_pointer

FORMAT = "nrdfer-enlightengan"


def load_generator(path: Path) -> EnlightenGenerator:
    """The generator in a ``.pth`` (with or without ``module.``), an ``.onnx`` or this project's ``.safetensors``.

    Raises:
        WeightsError: the file is missing, is a Git LFS pointer, holds code, cannot be read, or does not fit the
            generator.
    """
    if not path.is_file():
        raise WeightsError(f"EnlightenGAN weights {path} do not exist; check the path")
    refuse_pointer(path)
    readers = {".safetensors": _read_safetensors, ".onnx": _read_onnx}
    state = readers.get(path.suffix, read_state_dict)(path)
    first = state.get("conv1_1.weight")
    if first is None or first.ndim != 4:
        raise WeightsError(
            f"{path} does not hold EnlightenGAN's generator: it has no convolution conv1_1.weight. "
            "Expected is the file 200_net_G_A.pth, enlighten.onnx, or one made by "
            "`python -m devtools.pretraining.enlightengan` in a checkout of the project."
        )
    channels = int(first.shape[0])
    return cast(
        EnlightenGenerator, fitted(lambda: EnlightenGenerator(channels), state, path, "EnlightenGAN's generator")
    )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors (damaged or cut short): {error}") from error
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{path} is not an enhancer's weights: its metadata says format {metadata.get('format')!r}, "
            f"expected {FORMAT!r}"
        )
    # Convolutions may be stored in half precision; arithmetic is always in single.
    return {
        name: value.float() if value.is_floating_point() else value for name, value in plain_names(state, path).items()
    }


def _read_onnx(path: Path) -> dict[str, Tensor]:
    """The tensors of an exported generator, by the order of its layers: exporters rename tensors freely.

    The model's own pre- and post-processing is not taken over: the public one (github.com/arsenyinfo/
    EnlightenGAN-inference) pads every picture with black and is fed with exchanged colours by its example.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(path).graph
    except (DecodeError, ValueError, OSError) as error:
        raise WeightsError(f"{path} cannot be read as an ONNX model (damaged or cut short): {error}") from error
    tensors = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in graph.initializer}
    found: dict[str, list[list[Tensor]]] = {"Conv": [], "BatchNormalization": []}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in tensors:  # exporters store equal tensors once
            tensors[node.output[0]] = tensors[node.input[0]]
        if node.op_type in found:
            # what is not stored cannot be a weight: the first input of both is the picture
            found[node.op_type].append([tensors[name] for name in node.input[1:] if name in tensors])
    state: dict[str, Tensor] = {}
    with torch.device("meta"):
        names = _layers_in_order(EnlightenGenerator())
    for kind, parts in (("Conv", ("weight", "bias")), ("BatchNormalization", _NORM)):
        layers = found[kind]
        if len(layers) != len(names[kind]) or any(len(layer) != len(parts) for layer in layers):
            raise WeightsError(
                f"{path} does not hold EnlightenGAN's generator: it has {len(layers)} {kind} layers where "
                f"{len(names[kind])} with {len(parts)} stored tensors each were expected; is it enlighten.onnx, "
                "unchanged by an optimiser?"
            )
        for name, layer in zip(names[kind], layers, strict=True):
            state.update({f"{name}.{part}": tensor for part, tensor in zip(parts, layer, strict=True)})
    # counts training steps; exporters leave it out and evaluation does not read it
    state.update({f"{name}.num_batches_tracked": torch.tensor(0) for name in names["BatchNormalization"]})
    return state


_NORM = ("weight", "bias", "running_mean", "running_var")


def _layers_in_order(generator: EnlightenGenerator) -> Mapping[str, list[str]]:
    """Names of the convolutions and of the normalisations in the order of the forward pass."""
    convolutions: list[str] = []
    norms: list[str] = []
    for name, module in generator.named_children():  # they are registered in the order of their use
        (norms if isinstance(module, torch.nn.BatchNorm2d) else convolutions).append(name)
    return {"Conv": convolutions, "BatchNormalization": norms}
