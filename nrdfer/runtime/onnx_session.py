"""Networks run by ONNX Runtime: exported from the PyTorch module in memory, one session per process.

On a CPU this is up to twice as fast as PyTorch and gives the same numbers up to rounding. Which part of a network is
exported, and what its inputs mean, is decided by the caller; files for users belong to `nrdfer.models.export`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_OPSET = 17
_SILENT = 3  # of ONNX Runtime's log levels: errors only


def export(
    module: nn.Module, example: Tensor, outputs: tuple[str, ...], dynamic: Mapping[str, Mapping[int, str]]
) -> bytes:
    """A module of one input, named ``x``, as an ONNX model.

    Args:
        module: is put into evaluation mode and stays there.
        example: an input; its values do not matter.
        outputs: names of the outputs.
        dynamic: for ``x`` and for outputs, axis number -> name of the axes whose length may change.

    Returns:
        The model's bytes, weights included.
    """
    module.eval()
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # the tracing exporter is deprecated, but needs a quarter of a second where its successor needs many
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (example,),
            cast(Any, buffer),  # files are taken as well as paths
            input_names=["x"],
            output_names=list(outputs),
            dynamic_axes={name: dict(axes) for name, axes in dynamic.items()},
            opset_version=_OPSET,
            dynamo=False,
        )
    return buffer.getvalue()


class Session:
    """A model ready to run; a copy that is sent to another process reopens it there.

    Args:
        model: of `export`.
        threads: one for each of several processes; more for a process that has the machine for itself.
    """

    def __init__(self, model: bytes, threads: int = 1) -> None:
        self.model = model
        self.threads = threads
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _SILENT
        # patterns of memory are remembered for each shape; videos bring too many shapes
        options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def __reduce__(self) -> tuple[Any, ...]:
        return Session, (self.model, self.threads)

    def __call__(self, x: NDArray[Any]) -> list[NDArray[np.float32]]:
        """The outputs, in the order of their export."""
        return list(self._session.run(None, {"x": x}))

    def inputs(self) -> list[tuple[str, list[int | str]]]:
        """Names and shapes of the inputs; an axis of any length has a name."""
        return [(each.name, list(each.shape)) for each in self._session.get_inputs()]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """The outputs of a model whose inputs have other names."""
        return list(self._session.run(None, dict(inputs)))
