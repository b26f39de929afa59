"""Dynamic-static fusion (paper, sections 3.2, 3.3, equations 1 to 4): what moved plus what is seen, pair by pair.

The dynamic branch convolves the difference of neighbouring feature maps; the static branch attends over the places
of each frame; their sum is the dynamic-static feature. Primary feature maps belong to ``stem``, the sequence to
``dct``. Shapes: B clips, T frames, P = T - 1 pairs, C channels, H x W places of a primary map, h x w = ceil(H / 2) x
ceil(W / 2) after down-sampling, Q = h * w, N = B * P.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nrdfer.models.encoder import Encoder, EncoderSettings
from nrdfer.models.stem import BasicBlock, conv3x3


def frame_differences(maps_BTCHW: Tensor) -> Tensor:
    """Equation 1, F[i + 1] - F[i]: (B, T, C, H, W) -> (B, P, C, H, W)."""
    return maps_BTCHW[:, 1:] - maps_BTCHW[:, :-1]


def make_dynamic_branch(kind: str, channels: int, blocks: int) -> nn.Sequential:
    """The dynamic branch, halving height and width: (N, C, H, W) -> (N, C, h, w).

    Args:
        kind: ``basic`` (residual blocks, the first with stride 2: the author's later code and the published costs)
            or ``plain`` (convolution, norm, ReLU, the last with stride 2: the paper's words, section 3.3).
        channels: C.
        blocks: how many.

    Raises:
        ValueError: unknown `kind`.
    """
    if kind == "basic":
        return nn.Sequential(*(BasicBlock(channels, channels, 1 if i else 2) for i in range(blocks)))
    if kind == "plain":
        layers: list[nn.Module] = []
        for i in range(blocks):
            stride = 2 if i == blocks - 1 else 1
            layers += [conv3x3(channels, channels, stride), nn.BatchNorm2d(channels), nn.ReLU()]
        return nn.Sequential(*layers)
    raise ValueError(f"dynamic_branch must be 'basic' or 'plain', not {kind!r}")


def make_conv_d(channels: int, kernel: int, activation: bool) -> nn.Sequential:
    """Conv-D of equation 2, stride 2: (N, C, H, W) -> (N, C, h, w); with norm and ReLU if `activation`."""
    if kernel not in (1, 3):
        raise ValueError(f"conv_d_kernel must be 1 or 3, not {kernel}")
    conv = nn.Conv2d(channels, channels, kernel, 2, kernel // 2, bias=not activation)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU()) if activation else nn.Sequential(conv)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each place: (N, C, h, w) -> (N, C, h, w)."""

    def forward(self, maps_NChw: Tensor) -> Tensor:
        """See the class."""
        return super().forward(maps_NChw.movedim(1, -1)).movedim(-1, 1)


def make_fusion_norm(kind: str, channels: int) -> nn.Module:
    """Make the norm that follows equation 4's sum: (N, C, h, w) -> (N, C, h, w).

    ``batch`` takes out what all frames have in common: both branches end in ReLU or build on one, so their sum is far
    from zero.

    Raises:
        ValueError: unknown `kind`.
    """
    if kind == "none":
        return nn.Identity()
    kinds: dict[str, type[ChannelNorm | nn.BatchNorm2d]] = {"layer": ChannelNorm, "batch": nn.BatchNorm2d}
    if kind not in kinds:
        raise ValueError(f"fusion_norm must be 'none', 'layer' or 'batch', not {kind!r}")
    return kinds[kind](channels)


class DynamicStaticFusion(nn.Module):
    """Equations 1 to 4.

    Args:
        channels: C.
        places: Q.
        encoder: M encoders of the static branch.
        dynamic: the dynamic branch, see `make_dynamic_branch`; None leaves it out (the ablation's baseline: static
            features only).
        conv_d_kernel: 3, or 1.
        conv_d_activation: norm and ReLU after Conv-D.
        fusion_norm: what follows the sum: ``none`` (equation 4), ``layer`` or ``batch`` normalisation over channels.
        position_std: standard deviation of the position embeddings at the start.
    """

    def __init__(
        self,
        channels: int,
        places: int,
        encoder: EncoderSettings,
        dynamic: nn.Module | None,
        *,
        conv_d_kernel: int = 3,
        conv_d_activation: bool = True,
        fusion_norm: str = "none",
        position_std: float = 0.02,
    ) -> None:
        super().__init__()
        self.dynamic = dynamic
        self.conv_d = make_conv_d(channels, conv_d_kernel, conv_d_activation)
        self.position_QC = nn.Parameter(position_std * torch.randn(places, channels))
        self.encoder = Encoder(channels, encoder)
        self.norm = make_fusion_norm(fusion_norm, channels)

    def static_features(self, maps_NCHW: Tensor) -> Tensor:
        """Equations 2 and 3 and the M encoders: (N, C, H, W) -> (N, C, h, w)."""
        down_NChw = self.conv_d(maps_NCHW)
        tokens_NQC = down_NChw.flatten(2).transpose(1, 2) + self.position_QC
        encoded_NQC: Tensor = self.encoder(tokens_NQC)
        return encoded_NQC.transpose(1, 2).reshape(down_NChw.shape)

    def forward(self, maps_BTCHW: Tensor) -> Tensor:
        """(B, T, C, H, W) -> dynamic-static features (B, P, C, h, w)."""
        B, T = maps_BTCHW.shape[:2]
        # The last frame has no difference, so only the first T - 1 are used (section 3.2).
        fused_NChw = self.static_features(maps_BTCHW[:, :-1].flatten(0, 1))
        if self.dynamic is not None:
            fused_NChw = fused_NChw + self.dynamic(frame_differences(maps_BTCHW).flatten(0, 1))  # equation 4
        normed_NChw: Tensor = self.norm(fused_NChw)
        return normed_NChw.reshape(B, T - 1, *normed_NChw.shape[1:])
