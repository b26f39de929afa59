"""Interface of every network of this project: clips in, logits out, and one training objective.

Training, evaluation and export know networks only through `ClipNetwork`, so that NR-DFERNet and its rivals are treated
alike. How a network is built belongs to its own file. Shapes: B clips, T frames, H x W pixels, D features, S snippets,
K classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nrdfer.core.coerce import brief
from nrdfer.core.emotions import EMOTIONS, check_label_set, neutral_index
from nrdfer.core.errors import ClipError
from nrdfer.core.stored_settings import as_stored

# Far beyond any network that is studied: hundreds of blocks at most, a few thousand features, some hundred frames.
_BOUNDS = {"depth": 1024, "blocks": 1024, "heads": 1024, "frames": 4096, "image_size": 4096}  # part of a field's name
_MOST = 1 << 16  # of any other whole number
_NARROW = 8  # channels; see `ClipNetwork.lay_out`


@dataclass(frozen=True)
class NetworkSettings:
    """Settings that every network has.

    Raises:
        ValueError: a value that is not valid.
    """

    image_size: int = 112  # pixels
    frames: int = 16  # T
    emotions: tuple[str, ...] = EMOTIONS  # label set of the corpus, in class order

    def __post_init__(self) -> None:
        for name, least in (("image_size", 16), ("frames", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        check_label_set(self.emotions)
        for setting in fields(self):  # before anything is allocated for them
            value = getattr(self, setting.name)
            most = next((bound for part, bound in _BOUNDS.items() if part in setting.name), _MOST)
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, int) and number > most:
                    raise ValueError(f"{setting.name} is {brief(number)}, but can be at most {most:,}")

    @property
    def classes(self) -> int:
        """K."""
        return len(self.emotions)

    @property
    def neutral(self) -> int | None:
        """Class index of neutral; None if the label set has none."""
        return neutral_index(self.emotions)

    def to_dict(self) -> dict[str, Any]:
        """All settings as they are stored: ``classes: 7`` stands for the label set `EMOTIONS`, others are named.

        Trainings and models from before label sets could differ are stored so, and keep their identity.
        """
        stored = as_stored(self)
        if self.emotions != EMOTIONS:
            return stored
        return {"classes" if name == "emotions" else name: value for name, value in stored.items()} | {
            "classes": len(EMOTIONS)
        }


@dataclass(frozen=True, eq=False)
class Inspection:
    """Internals of a network while it classifies clips; evaluation stores all of them."""

    state_BD: Tensor  # the classifier's input, from the sequence
    attention_BP: Tensor | None = None  # attention of the class token to each pair of frames; rows sum to 1
    #: Width L -> logits (B, n, K) of all snippets of that width at stride 1, for any filter setting.
    snippets: Mapping[int, Tensor] = field(default_factory=dict)


class ClipNetwork(nn.Module, ABC):
    """A network that classifies clips."""

    settings: NetworkSettings
    head: nn.Module
    #: Memory layout of frames for 2D convolutions, which are up to twice as fast with the colours last; values and
    #: state-dict shapes are the same. See `lay_out`.
    memory_format: torch.memory_format = torch.contiguous_format

    def lay_out(self, memory_format: torch.memory_format) -> None:
        """Set the memory layout of weights and, from now on, of frames.

        A network with a convolution of fewer than `_NARROW` channels stays contiguous: on some CPUs oneDNN (of torch
        2.13) writes past its buffers there in the backward pass of ``channels_last``.
        """
        convolutions = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        if min((module.out_channels for module in convolutions), default=_NARROW) < _NARROW:
            memory_format = torch.contiguous_format
        self.memory_format = memory_format
        self.to(memory_format=memory_format)  # type: ignore[call-overload]  # missing from torch's stub

    def as_frames(self, x_BTCHW: Tensor) -> Tensor:
        """Clips as single pictures, (B, T, C, H, W) -> (B T, C, H, W), in the network's memory layout."""
        return x_BTCHW.flatten(0, 1).contiguous(memory_format=self.memory_format)

    @abstractmethod
    def represent(self, x_BTCHW: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W), values 0 to 1 -> the classifier's input, (B, D)."""

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Logits (B, K) of clips (B, T, 3, H, W), RGB, values 0 to 1, or 8-bit values (uint8) 0 to 255.

        Raises:
            ClipError: another shape than the settings say, other integers, or values that are not numbers.
        """
        logits_BK: Tensor = self.head(self.represent(unit_clips(x_BTCHW, self.settings)))
        return logits_BK

    def forward_with_snippets(self, x_BTCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, K) of clips, and (B, S, K) of their snippets; S is 0 for a network without snippets."""
        logits_BK = self(x_BTCHW)
        return logits_BK, logits_BK.new_empty(logits_BK.shape[0], 0, logits_BK.shape[-1])

    def inspect(self, x_BTCHW: Tensor, widths: Sequence[int] = ()) -> Inspection:
        """Internals of the network: for figures and for filter settings that need no further training.

        Args:
            x_BTCHW: clips, as `forward` takes them.
            widths: of snippets to classify; a network without snippets has none.
        """
        return Inspection(self.represent(x_BTCHW))

    def forward_with_attention(self, x_BTCHW: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """As `forward_with_snippets`, and attention (B, P) of the class token, None for a network without one."""
        return *self.forward_with_snippets(x_BTCHW), self.inspect(x_BTCHW).attention_BP

    def vetoes(self, snippet_logits_BSK: Tensor) -> Tensor:
        """Whether the snippets of a clip veto the answer neutral: (B,) bool."""
        return torch.zeros(snippet_logits_BSK.shape[0], dtype=torch.bool, device=snippet_logits_BSK.device)

    def decide(self, logits_BK: Tensor, snippet_logits_BSK: Tensor) -> Tensor:
        """Final logits (B, K); their largest is the answer."""
        return logits_BK

    def probabilities(self, logits_BK: Tensor, snippet_logits_BSK: Tensor) -> Tensor:
        """Final probabilities (B, K)."""
        return self.decide(logits_BK, snippet_logits_BSK).softmax(-1)

    def objective(self, x_BTCHW: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor]:
        """Loss to minimise, a number, and the logits (B, K); cross-entropy unless a network overrides it.

        Raises:
            ClipError: see `forward`.
        """
        logits_BK = self(x_BTCHW)
        return cross_entropy(logits_BK, y_B), logits_BK


_trusted: ContextVar[bool] = ContextVar("trusted", default=False)


@contextmanager
def trusted_clips() -> Iterator[None]:
    """Context in which clips on a GPU are not checked for NaN and infinity.

    For clips made of 8-bit frames, which hold none: looking would make the CPU wait for the GPU at every step.
    """
    before = _trusted.set(True)
    try:
        yield
    finally:
        _trusted.reset(before)


def cross_entropy(logits_BK: Tensor, y_B: Tensor) -> Tensor:
    """Mean cross-entropy of a batch, in float32 at least, for any precision of the logits."""
    return F.cross_entropy(logits_BK.to(torch.promote_types(logits_BK.dtype, torch.float32)), y_B)


def unit_clips(x_BTCHW: Tensor, settings: NetworkSettings, *, any_size: bool = False) -> Tensor:
    """Clips with values 0 to 1, checked as by `check_clips`; 8-bit values (uint8) are divided by 255 as in training."""
    if x_BTCHW.dtype == torch.uint8:
        x_BTCHW = x_BTCHW.to(torch.float32) / 255
    check_clips(x_BTCHW, settings, any_size=any_size)
    return x_BTCHW


def check_clips(x_BTCHW: Tensor, settings: NetworkSettings, *, any_size: bool = False) -> None:
    """Check that a tensor holds clips as a network with these settings takes them.

    Args:
        x_BTCHW: clips.
        settings: of the network.
        any_size: accept frames of another size, which the caller is going to resize.

    Raises:
        ClipError: the message says what is wrong, with which clip, and what to do.
    """
    check_shape(tuple(x_BTCHW.shape), settings, any_size=any_size)
    if not x_BTCHW.is_floating_point():
        raise ClipError(f"expected floating-point values 0 to 1, got {x_BTCHW.dtype}; 8-bit values are uint8")
    if torch.compiler.is_compiling() or x_BTCHW.is_meta:
        return  # no values to check
    if x_BTCHW.is_cuda and _trusted.get():
        return
    if not bool(x_BTCHW.sum().isfinite()):
        bad_B = (~x_BTCHW.isfinite()).flatten(1).sum(1).tolist()
        clip = next((i for i, count in enumerate(bad_B) if count), 0)
        raise ClipError(
            f"clip {clip} of the batch holds {bad_B[clip]} values that are NaN or infinite; "
            "check how its frames were read and scaled"
        )


def check_shape(shape: Sequence[int], settings: NetworkSettings, *, any_size: bool = False) -> None:
    """Check that a shape is that of clips as a network with these settings takes them.

    Args:
        shape: of the clips.
        settings: of the network.
        any_size: accept frames of another size, which the caller is going to resize.

    Raises:
        ClipError: the message says what is wrong and what to do.
    """
    size, shape = settings.image_size, tuple(shape)
    expected = f"(B, {settings.frames}, 3, {size}, {size})"
    if len(shape) != 5 or shape[2] != 3 or not (any_size or shape[3:] == (size, size)):
        raise ClipError(
            f"expected clips of shape {expected} (clips, frames, RGB, height, width), got {shape}; "
            f"resize frames to {size} x {size} (nrdfer.data.augment) and add a leading dimension to a single clip"
        )
    if shape[1] != settings.frames:
        raise ClipError(
            f"the network takes clips of {settings.frames} frames, got {shape[1]}; "
            f"choose {settings.frames} of a clip's frames with nrdfer.data.sampling (short clips repeat frames)"
        )


def start_convolutions(network: nn.Module) -> None:
    """He et al.'s initialisation of convolutions (fan-out), as in the first author's code and torch's ResNets."""
    _start(network, "fan_out", nn.Conv2d, nn.Conv3d)


def start_unnormed(network: nn.Module) -> None:
    """He et al.'s initialisation of layers without a following norm (fan-in): it keeps the variance of their input."""
    _start(network, "fan_in", nn.Conv2d, nn.Conv3d, nn.Linear)


def _start(network: nn.Module, mode: Literal["fan_in", "fan_out"], *kinds: type[nn.Module]) -> None:
    for module in network.modules():
        if isinstance(module, kinds):
            nn.init.kaiming_normal_(cast(Tensor, module.weight), mode=mode, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(cast(Tensor, module.bias))
