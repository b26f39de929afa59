"""Comparison of an exported file's answers with those of the network that it was made of.

Both are asked about the same clips on this machine. How the file is written belongs to `export`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from nrdfer.core.errors import ClipError, NrdferError
from nrdfer.core.plain_text import name_text
from nrdfer.models.base import ClipNetwork, NetworkSettings, check_shape, unit_clips

#: Largest difference of a logit or a probability, in float32 on the same machine.
TOLERANCE = 1e-4
CLIPS = 4  # random ones
_BATCH = 8
Clips = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Agreement:
    """Outcome of a comparison."""

    clips: int
    logits: float  # largest difference
    probabilities: float
    same_emotion: int  # clips that both give the same emotion

    @property
    def whole(self) -> bool:
        """Whether the file answers as the network, within `TOLERANCE`."""
        return max(self.logits, self.probabilities) <= TOLERANCE  # False for NaN

    def __str__(self) -> str:
        return (
            f"{self.clips} clips: largest difference {self.logits:.1e} of a logit, {self.probabilities:.1e} of a "
            f"probability; the same emotion for {self.same_emotion}"
        )


def random_clips(settings: NetworkSettings, count: int = CLIPS, seed: int = 0) -> Clips:
    """Clips (B, T, 3, H, W) of random pixels, of different brightness."""
    s, rng = settings, np.random.default_rng(seed)
    x_BTCHW = rng.random((count, s.frames, 3, s.image_size, s.image_size), dtype=np.float32)
    return x_BTCHW * np.linspace(0.25, 1, count, dtype=np.float32)[:, None, None, None, None]


def read_clips(path: Path, settings: NetworkSettings) -> Clips:
    """Clips of a ``.npy`` file: (B, T, 3, H, W), float from 0 to 1 or uint8; of one clip, without B.

    Raises:
        NrdferError: the file is no array of numbers.
        ClipError: it is of another shape, or its values are outside of 0 to 1.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise NrdferError(f"{name_text(path)} is no .npy file of clips: {type(error).__name__}") from error
    if not isinstance(array, np.ndarray) or not (array.dtype.kind == "f" or array.dtype == np.uint8):
        raise NrdferError(f"{name_text(path)} does not hold an array of floating-point numbers or of uint8")
    clips = array[None] if array.ndim == 4 else array
    check_shape(clips.shape, settings)
    if not len(clips):
        raise ClipError(f"{name_text(path)} holds no clip")
    if clips.dtype != np.uint8:
        clips = clips.astype(np.float32)
        if not bool(((clips >= 0) & (clips <= 1)).all()):
            raise ClipError(f"{name_text(path)}: pixel values must be in 0 to 1, or of 0 to 255 as uint8")
    return unit_clips(torch.from_numpy(clips), settings).numpy()


def compare(network: ClipNetwork, path: Path, clips: Clips) -> Agreement:
    """Ask a network and the file that it was exported to, ``.onnx`` or ``.pt2``, about clips.

    Raises:
        NrdferError: the file cannot be opened, or fails on the clips.
    """
    try:
        asked = _onnx(path) if path.suffix == ".onnx" else _program(path)
        answers = [asked(clips[start : start + _BATCH]) for start in range(0, len(clips), _BATCH)]
    except Exception as error:  # of other libraries' readers
        raise NrdferError(f"{path.name} cannot be asked about clips: {type(error).__name__}") from error
    logits, probabilities = (np.concatenate(part) for part in zip(*answers, strict=True))
    expected = [_answers(network, clips[start : start + _BATCH]) for start in range(0, len(clips), _BATCH)]
    right_logits, right = (np.concatenate(part) for part in zip(*expected, strict=True))
    return Agreement(
        len(clips),
        float(np.abs(logits - right_logits).max()),
        float(np.abs(probabilities - right).max()),
        int((probabilities.argmax(-1) == right.argmax(-1)).sum()),
    )


def _answers(network: ClipNetwork, clips: Clips) -> tuple[Numbers, Numbers]:
    device = next(network.parameters()).device
    with torch.inference_mode():
        logits_BK, snippets_BSK = network.forward_with_snippets(torch.from_numpy(clips).to(device))
        return logits_BK.cpu().numpy(), network.probabilities(logits_BK, snippets_BSK).cpu().numpy()


def _onnx(path: Path) -> Callable[[Clips], tuple[Numbers, Numbers]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def ask(clips: Clips) -> tuple[Numbers, Numbers]:
        logits, probabilities = session.run(["logits", "probabilities"], {"clips": clips})
        return logits, probabilities

    return ask


def _program(path: Path) -> Callable[[Clips], tuple[Numbers, Numbers]]:
    program = torch.export.load(path).module()

    def ask(clips: Clips) -> tuple[Numbers, Numbers]:
        with torch.inference_mode():
            logits, probabilities = program(torch.from_numpy(clips))
        return logits.cpu().numpy(), probabilities.cpu().numpy()

    return ask
