"""Running the EnlightenGAN generator over frames: reading weights files, pixels to tensors and back.

The network is `nrdfer.enhance.generator`; choosing and verifying published files is `nrdfer.weights`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from nrdfer.enhance.generator import EnlightenGenerator
from nrdfer.errors import WeightsError
from nrdfer.weights import refuse_pointer

FORMAT = "nrdfer-enlightengan"


class Enhancer:
    """A generator in evaluation mode, so that a batch gives the same as its frames one by one.

    Args:
        generator: the network with its weights.
        device: where it runs.
    """

    def __init__(self, generator: EnlightenGenerator, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self.generator = generator.to(self.device).eval()

    @classmethod
    def load(cls, path: Path, device: str | torch.device = "cpu") -> Enhancer:
        """Read the original's ``.pth`` (with or without ``module.``) or this project's ``.safetensors``.

        Raises:
            WeightsError: the file is missing, is a Git LFS pointer, cannot be read, or does not fit the
                generator.
        """
        if not path.is_file():
            raise WeightsError(f"EnlightenGAN weights {path} do not exist; check the path")
        refuse_pointer(path)
        state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
        first = state.get("conv1_1.weight")
        if first is None or first.ndim != 4:
            raise WeightsError(
                f"{path} does not hold EnlightenGAN's generator: it has no convolution conv1_1.weight. "
                "Expected is the file 200_net_G_A.pth, or one made by `python -m nrdfer.enhance.train`."
            )
        generator = EnlightenGenerator(base_channels=int(first.shape[0]))
        try:
            generator.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise WeightsError(f"{path} does not fit EnlightenGAN's generator: {error}") from error
        return cls(generator, device)

    @torch.inference_mode()
    def enhance(
        self,
        frames_THWC: np.ndarray,
        batch: int = 16,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
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
        if batch < 1:
            raise ValueError(f"batch must be at least 1, not {batch}")
        out_THWC = np.empty_like(frames_THWC)
        total = len(frames_THWC)
        for start in range(0, total, batch):
            part = torch.from_numpy(np.ascontiguousarray(frames_THWC[start : start + batch])).to(self.device)
            y_BCHW = self.generator(part.permute(0, 3, 1, 2).float() / 255.0)
            pixels = (y_BCHW * 255.0).to(torch.uint8).permute(0, 2, 3, 1)
            out_THWC[start : start + batch] = pixels.cpu().numpy()
            if progress is not None:
                progress(min(start + batch, total), total)
        return out_THWC


def _read_pickle(path: Path) -> dict[str, Tensor]:
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path} cannot be read as PyTorch weights (damaged, cut short, or not a weights file): {error}"
        ) from error
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise WeightsError(f"{path} is not a plain state dict (names to tensors) of EnlightenGAN's generator")
    # save_network() of the original stores the state of an nn.DataParallel wrapper.
    return {str(name).removeprefix("module."): value for name, value in loaded.items()}


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
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
