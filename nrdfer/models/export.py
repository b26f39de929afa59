"""A trained network as a file that needs none of this project's code: PyTorch's exported program, or ONNX.

Input is ``clips``, float32 (B, T, 3, H, W), RGB, 0 to 1, any B. Outputs are ``logits`` (B, K) of the whole clips and
``probabilities`` (B, K), the final ones, after the snippet-based filter where the network has it. Preprocessing of
videos is not in the file; what a program must know of its input is, as metadata (`export_metadata`). Which training's
weights are exported is decided by the caller.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from nrdfer.core.errors import NrdferError
from nrdfer.core.output_checks import in_words, refuse_unwritable
from nrdfer.core.own_files import publish, refuse_foreign, unfinished
from nrdfer.models.base import ClipNetwork
from nrdfer.models.export_metadata import EXTRA_FILE, write_metadata

OUTPUTS = ("logits", "probabilities")
FORMATS = (".pt2", ".onnx")


class Answers(nn.Module):
    """Module to export: clips -> `OUTPUTS`."""

    def __init__(self, network: ClipNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """See the module."""
        logits_BK, snippets_BSK = self.network.forward_with_snippets(clips)
        return logits_BK, self.network.probabilities(logits_BK, snippets_BSK)


def export_program(network: ClipNetwork) -> ExportedProgram:
    """The network in evaluation mode as one graph (``torch.export``), for any number of clips."""
    network.eval()
    s = network.settings
    device = next(network.parameters()).device
    example = torch.zeros(2, s.frames, 3, s.image_size, s.image_size, device=device)
    with warnings.catch_warnings():
        # recurrent layers change the layout of their weights while they are traced, which changes no value
        warnings.filterwarnings("ignore", message=".*_flat_weights.*")
        return torch.export.export(Answers(network), (example,), dynamic_shapes={"clips": {0: Dim("clips", min=1)}})


def check_target(path: Path) -> None:
    """Refuse, before anything is loaded, a file name to which no network can be exported.

    Raises:
        NrdferError: another ending than `FORMATS`; something that is no earlier export; a place that cannot be written.
    """
    if path.suffix not in FORMATS:
        raise NrdferError(f"{path.name}: exported files end in {' or '.join(FORMATS)}")
    refuse_unwritable(path, folder=False)
    refuse_foreign(path)


def export_network(
    network: ClipNetwork,
    path: Path,
    metadata: Mapping[str, str] | None = None,
    check: Callable[[Path], None] | None = None,
) -> None:
    """Write a network to a file; it appears under its name only when it is whole.

    Args:
        network: is put into evaluation mode.
        path: ending in ``.pt2`` (PyTorch, load with ``torch.export.load``) or ``.onnx``.
        metadata: to write into the file; see `nrdfer.models.export_metadata`.
        check: called with the finished file before it gets its name; it has none if this raises.

    Raises:
        NrdferError: another ending, the packages for ONNX are not installed, or the file is there and no earlier
            export, or cannot be written.
    """
    check_target(path)
    try:
        with unfinished(path.parent) as place:
            fresh = place / f"network{path.suffix}"
            if path.suffix == ".pt2":
                with warnings.catch_warnings():
                    warnings.filterwarnings(
                        "ignore", message=".*No complete tensor found.*"
                    )  # of weights that share memory
                    extra = {EXTRA_FILE: json.dumps(dict(metadata or {}))}
                    torch.export.save(export_program(network), fresh, extra_files=extra)
            else:
                _write_onnx(network, fresh)
                write_metadata(fresh, metadata or {})
            if check is not None:
                check(fresh)
            publish(fresh, path)
    except OSError as error:
        raise in_words(path, error) from error


def _write_onnx(network: ClipNetwork, path: Path) -> None:
    try:
        import onnxscript  # noqa: F401  # torch's exporter is written in it
    except ImportError as error:
        raise NrdferError(f"ONNX files need onnx and onnxscript ({error}); run: pip install onnx onnxscript") from error
    # torch's exporter warns at every start that torchvision is missing; nothing here uses it
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch to itself
        torch.onnx.export(
            export_program(network),
            (),
            path,
            input_names=["clips"],
            output_names=list(OUTPUTS),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
