"""Inference backends of RetinaFace's network: ONNX Runtime on a CPU, PyTorch elsewhere.

Pictures come as they are, (B, H, W, 3) uint8 RGB; the convention of the weights is part of the function. Anchors,
thresholds and pixels of the source are `nrdfer.faces.detector`'s.
"""

from __future__ import annotations

import copy
import itertools
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from nrdfer.faces.input_conventions import Convention
from nrdfer.faces.network import RetinaFaceNet
from nrdfer.runtime.onnx_session import Session, export

#: Encoded boxes (B, P, 4), scores (B, P) from 0 to 1, encoded points (B, P, 10), all float32.
Answer = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
BACKENDS = ("auto", "onnxruntime", "torch")
_OUTPUTS = ("boxes", "scores", "points")


class Engine(Protocol):
    """Inference backend of the network."""

    def __call__(self, pictures_BHWC: NDArray[np.uint8]) -> Answer:
        """The network's answer for pictures of one size."""
        ...


class SeenNetwork(nn.Module):
    """The network and the convention of its weights: uint8 RGB pictures in, scores instead of logits out."""

    def __init__(self, net: RetinaFaceNet, convention: Convention, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.net = net
        self.channels = [2, 1, 0] if convention.bgr else [0, 1, 2]
        self.dtype = dtype
        self.register_buffer("mean", torch.tensor(convention.mean), persistent=False)
        self.register_buffer("std", torch.tensor(convention.std), persistent=False)

    def forward(self, x_BHWC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        x_BHWC = (x_BHWC[..., self.channels].float() - cast(Tensor, self.mean)) / cast(Tensor, self.std)
        # a permuted view of (B, H, W, C) memory is exactly torch's channels_last
        boxes_BP4, logits_BP2, points_BP10 = self.net(x_BHWC.permute(0, 3, 1, 2).to(self.dtype))
        logits_BP2 = logits_BP2.float()
        scores_BP = torch.sigmoid(logits_BP2[..., 1] - logits_BP2[..., 0])  # a softmax over two classes
        return boxes_BP4.float(), scores_BP, points_BP10.float()


class TorchEngine:
    """PyTorch; half precision on a GPU, where batches of whole frames are faster."""

    def __init__(self, net: RetinaFaceNet, convention: Convention, device: str) -> None:
        self.device = torch.device(device)
        half = self.device.type == "cuda"
        dtype = torch.float16 if half else torch.float32
        self._seen = SeenNetwork(folded(net).to(dtype=dtype), convention, dtype).to(self.device).eval()

    @torch.inference_mode()
    def __call__(self, pictures_BHWC: NDArray[np.uint8]) -> Answer:
        """See `Engine`."""
        boxes, scores, points = self._seen(torch.from_numpy(pictures_BHWC).to(self.device))
        return boxes.cpu().numpy(), scores.cpu().numpy(), points.cpu().numpy()


class OnnxEngine:
    """ONNX Runtime on one CPU core: one model for all sizes of pictures."""

    def __init__(self, net: RetinaFaceNet, convention: Convention) -> None:
        seen = SeenNetwork(folded(net), convention)
        axes = {"x": {0: "B", 1: "H", 2: "W"}, **{name: {0: "B", 1: "P"} for name in _OUTPUTS}}
        self._session = Session(export(seen, torch.zeros(1, 64, 96, 3, dtype=torch.uint8), _OUTPUTS, axes))

    def __call__(self, pictures_BHWC: NDArray[np.uint8]) -> Answer:
        """See `Engine`."""
        boxes, scores, points = self._session(pictures_BHWC)
        return boxes, scores, points


def make_engine(net: RetinaFaceNet, convention: Convention, device: str, backend: str = "auto") -> Engine:
    """The engine for a device; "auto" takes ONNX Runtime on a CPU.

    Raises:
        ValueError: an unknown backend, or ONNX Runtime for another device than a CPU.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend {backend!r} of the detector is not known; use one of {', '.join(BACKENDS)}")
    on_cpu = torch.device(device).type == "cpu"
    if backend == "onnxruntime" and not on_cpu:
        raise ValueError(f"the detector runs by ONNX Runtime on a CPU only, not on {device}; use backend 'torch'")
    if backend == "torch" or not on_cpu:
        return TorchEngine(net, convention, device)
    return OnnxEngine(net, convention)


def folded(net: RetinaFaceNet) -> RetinaFaceNet:
    """A copy of a network in evaluation mode with each batch norm folded into its convolution, channels last.

    A quarter faster on a CPU; results differ by rounding only. In all modules of this network a batch norm is
    registered right after the convolution it normalises.
    """
    fast = copy.deepcopy(net).eval()
    for module in fast.modules():
        children = list(module.named_children())
        for (name, conv), (after, norm) in itertools.pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(conv, norm))
                setattr(module, after, nn.Identity())
    # not typed as a keyword of Module.to
    return cast(RetinaFaceNet, cast(Any, fast).to(memory_format=torch.channels_last))
