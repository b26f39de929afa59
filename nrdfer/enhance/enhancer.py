"""Running the EnlightenGAN generator over frames: pixels to tensors and back, in batches, on a CPU or a GPU.

The network is `nrdfer.enhance.generator`; files that hold it are `nrdfer.enhance.checkpoints`'. On a CPU it runs in
ONNX Runtime, which is a third faster than PyTorch and agrees within one grey level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nrdfer.enhance.checkpoints import load_generator
from nrdfer.enhance.generator import MULTIPLE, EnlightenGenerator
from nrdfer.runtime.onnx_session import Session, export

BACKENDS = ("auto", "onnxruntime", "torch")
LARGEST = 2200  # pixels: of a frame that is brightened at its own size
CPU_BATCH, GPU_BATCH = 4, 64  # larger ones leave a CPU's caches
Frames = NDArray[np.uint8]


class _Engine(Protocol):
    def __call__(self, frames_BHWC: Frames) -> Frames: ...


class Pixels(nn.Module):
    """The generator on uint8 pictures; values are clipped to 0..255 and truncated, as the original does."""

    def __init__(self, generator: EnlightenGenerator, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.generator = generator
        self.dtype = dtype

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Pictures (B, H, W, 3) uint8 RGB, brightened."""
        y_BCHW: Tensor = self.generator(x_BHWC.permute(0, 3, 1, 2).to(self.dtype) / 255.0)
        return (y_BCHW.float() * 255.0).to(torch.uint8).permute(0, 2, 3, 1)


class _TorchEngine:
    """PyTorch; half precision on a GPU."""

    def __init__(self, generator: EnlightenGenerator, device: torch.device) -> None:
        self.device = device
        dtype = torch.float16 if device.type == "cuda" else torch.float32
        self._pixels = Pixels(generator.to(device=device, dtype=dtype), dtype).eval()

    @torch.inference_mode()
    def __call__(self, frames_BHWC: Frames) -> Frames:
        part = torch.from_numpy(np.ascontiguousarray(frames_BHWC)).to(self.device)
        return np.asarray(self._pixels(part).cpu().numpy())


class _OnnxEngine:
    """ONNX Runtime on one CPU core. Padding is done here: the exported graph takes multiples of 16 only."""

    def __init__(self, generator: EnlightenGenerator) -> None:
        axes = {0: "B", 1: "H", 2: "W"}
        example = torch.zeros(1, 2 * MULTIPLE, 3 * MULTIPLE, 3, dtype=torch.uint8)
        self._session = Session(export(Pixels(generator), example, ("y",), {"x": axes, "y": axes}))

    def __call__(self, frames_BHWC: Frames) -> Frames:
        height, width = frames_BHWC.shape[1:3]
        extra_h, extra_w = -height % MULTIPLE, -width % MULTIPLE
        top, left = extra_h // 2, extra_w // 2
        if extra_h or extra_w:
            around = ((0, 0), (top, extra_h - top), (left, extra_w - left), (0, 0))
            frames_BHWC = np.pad(frames_BHWC, around, mode="reflect")
        (y_BHWC,) = self._session(np.ascontiguousarray(frames_BHWC))
        return np.asarray(y_BHWC[:, top : top + height, left : left + width], np.uint8)


class Enhancer:
    """A generator in evaluation mode, so that a batch gives the same as its frames one by one.

    Args:
        generator: the network with its weights.
        device: where it runs.
        backend: "onnxruntime" (CPU only), "torch", or "auto": ONNX Runtime on a CPU.

    Raises:
        ValueError: a backend that is not known or does not fit the device.
    """

    def __init__(
        self, generator: EnlightenGenerator, device: str | torch.device = "cpu", backend: str = "auto"
    ) -> None:
        self.device = torch.device(device)
        on_cpu = self.device.type == "cpu"
        if backend not in BACKENDS or (backend == "onnxruntime" and not on_cpu):
            raise ValueError(
                f"the enhancer's backend {backend!r} does not work on {device}; use one of {', '.join(BACKENDS)}, and "
                "onnxruntime on a CPU only"
            )
        self.batch = CPU_BATCH if on_cpu else GPU_BATCH
        generator.eval()
        self._engine: _Engine = (
            _TorchEngine(generator, self.device) if backend == "torch" or not on_cpu else _OnnxEngine(generator)
        )

    @classmethod
    def load(cls, path: Path, device: str | torch.device = "cpu", backend: str = "auto") -> Enhancer:
        """Read a weights file; see `nrdfer.enhance.checkpoints.load_generator`.

        Raises:
            WeightsError: it cannot be used.
        """
        return cls(load_generator(path), device, backend)

    def enhance(
        self,
        frames_THWC: Frames,
        batch: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Frames:
        """Brighten frames.

        Args:
            frames_THWC: RGB uint8, any number of frames of one size (sides of at least 16 pixels).
            batch: frames at a time; bounds the memory.
            progress: called with (frames done, frames in all).

        Returns:
            uint8 of the same shape; values are clipped to 0..255 and truncated, as the original does.

        Raises:
            ValueError: another shape or type.
        """
        if frames_THWC.dtype != np.uint8 or frames_THWC.ndim != 4 or frames_THWC.shape[3] != 3:
            raise ValueError(f"frames must be uint8 of shape (T, H, W, 3), not {frames_THWC.dtype} {frames_THWC.shape}")
        batch = self.batch if batch is None else batch
        if batch < 1:
            raise ValueError(f"batch must be at least 1, not {batch}")
        if len(frames_THWC) and min(frames_THWC.shape[1:3]) < MULTIPLE:
            raise ValueError(f"frames need sides of at least {MULTIPLE} pixels, not {frames_THWC.shape[1:3]}")
        out_THWC = np.empty_like(frames_THWC)
        total = len(frames_THWC)
        for start in range(0, total, batch):
            out_THWC[start : start + batch] = self._engine(frames_THWC[start : start + batch])
            if progress is not None:
                progress(min(start + batch, total), total)
        return out_THWC

    def stream(self, frames: Iterable[Frames]) -> Iterator[Frames]:
        """Brighten frames (H, W, 3) of one size as they come, a batch at a time; see `enhance`."""
        waiting: list[Frames] = []
        for frame in frames:
            waiting.append(frame)
            if len(waiting) == self.batch:
                yield from self.enhance(np.stack(waiting))
                waiting = []
        if waiting:
            yield from self.enhance(np.stack(waiting))

    def stream_large(self, frames: Iterable[Frames]) -> Iterator[Frames]:
        """Brighten whole frames (H, W, 3) one at a time, whatever their sizes.

        Frames wider than `LARGEST` are brightened at half their size, as the original does, and enlarged again.
        """
        for frame in frames:
            height, width = frame.shape[:2]
            if width > LARGEST:
                small = cv2.resize(frame, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
                bright = self.enhance(np.asarray(small, np.uint8)[None])[0]
                yield np.asarray(cv2.resize(bright, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
            else:
                yield self.enhance(frame[None])[0]
