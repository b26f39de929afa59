"""NR-DFERNet (Li et al. 2022): stem, dynamic-static fusion, dynamic class token, snippets, in one readable network.

The defaults reproduce the published costs and parameters as far as they identify the network (31.3 M parameters,
4.37 G multiply-adds a clip, 5.08 with snippets; the paper's 6.33 G counts every transformer layer twice and includes
the snippets). The parts live in their own files; training and pre-processing belong elsewhere. Shapes: B clips, T
frames, C channels, H x W, P = T - 1 pairs, S snippets, L features a snippet, D token width, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor, nn

from nrdfer.emotions import EMOTIONS
from nrdfer.models.dct import TemporalStage
from nrdfer.models.dsf import DynamicStaticFusion
from nrdfer.models.encoder import EncoderSettings
from nrdfer.models.snippet_filter import snippet_windows
from nrdfer.models.stem import make_stem

SNIPPET_POSITIONS = ("first", "true")


@dataclass(frozen=True)
class NRDFERNetSettings:
    """Every choice in the network. Where the paper is silent, the comment says what decides the default.

    "Costs": the multiply-adds of Table 3, all six of which only a few networks reproduce. "Code": the first
    author's later repository (github.com/muse1998/AI-DFERNet), a relative of this network.
    """

    image_size: int = 112
    frames: int = 16  # T = U * V
    stem: str = "resnet7x7"  # costs; code: "double3x3"
    widths: tuple[int, ...] = (64, 128, 256)  # costs and code
    stage_blocks: tuple[int, ...] = (1, 1, 1)  # "three convolutional layers"; costs and code
    dynamic_branch: str = "basic"  # costs and code; the paper's "three convolution layers" taken literally: "plain"
    dynamic_blocks: int = 3
    conv_d_kernel: int = 3  # costs and code; or 1
    conv_d_activation: bool = True  # code: norm and ReLU after Conv-D
    fusion_norm: str = "none"  # equation 4 is a plain sum; or "layer", "batch"
    spatial_depth: int = 2  # M, Table 3
    spatial_heads: int = 4  # section 4.2
    spatial_dim_head: int = 32  # costs and code
    spatial_mlp: int = 256  # costs and code
    temporal_depth: int = 4  # N, Table 3
    temporal_heads: int = 4  # section 4.2
    temporal_dim_head: int = 32  # costs and code
    temporal_mlp: int = 512  # costs and code
    encoder_norm: str = "pre"  # code; or "post"
    encoder_final_norm: bool = False  # code
    dropout: float = 0.0  # code
    position_std: float = 0.02  # customary, our choice; code: 1
    dsf: bool = True  # False: static branch only (Table 1's baseline)
    dct: bool = True  # False: one learned class token (Table 1's baseline)
    snippet_unit: str = "pair"  # costs and code; the paper's words: "frame" (see snippet_filter.snippet_windows)
    snippet_width: int = 3  # L, Table 2
    snippet_stride: int = 2  # S, Table 2
    snippet_position: str = "first"  # code: every snippet uses the first L positions; or "true" places
    mu1: float = 0.7  # section 4.2; code: 0.75
    mu2: float = 0.05  # section 4.2; code: 0.03
    classes: int = len(EMOTIONS)

    def __post_init__(self) -> None:
        if len(self.widths) != 3 or len(self.stage_blocks) != 3:
            raise ValueError(f"widths and stage_blocks describe three layers, got {self.widths}, {self.stage_blocks}")
        if self.frames < 2:
            raise ValueError(f"frames must be at least 2 (one pair), not {self.frames}")
        if self.snippet_position not in SNIPPET_POSITIONS:
            raise ValueError(f"snippet_position must be one of {SNIPPET_POSITIONS}, not {self.snippet_position!r}")
        for name in ("mu1", "mu2"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, not {getattr(self, name)}")
        _ = self.snippets  # refuses snippets that do not fit

    @property
    def feature_side(self) -> int:
        """Side h of a dynamic-static feature map: the stem divides by 16, down-sampling by 2, rounding up."""
        return ceil(self.image_size / 32)

    @property
    def token_dim(self) -> int:
        """D: a flattened dynamic-static feature map (the paper's C H W / 4, with H / 2 rounded up)."""
        return self.widths[-1] * self.feature_side**2

    @property
    def snippets(self) -> list[range]:
        """The dynamic-static features of each snippet."""
        return snippet_windows(self.frames, self.snippet_width, self.snippet_stride, self.snippet_unit)

    @property
    def spatial_encoder(self) -> EncoderSettings:
        """The static branch's encoders."""
        return EncoderSettings(
            self.spatial_depth,
            self.spatial_heads,
            self.spatial_dim_head,
            self.spatial_mlp,
            self.dropout,
            self.encoder_norm,
            self.encoder_final_norm,
        )

    @property
    def temporal_encoder(self) -> EncoderSettings:
        """The temporal stage's encoders."""
        return EncoderSettings(
            self.temporal_depth,
            self.temporal_heads,
            self.temporal_dim_head,
            self.temporal_mlp,
            self.dropout,
            self.encoder_norm,
            self.encoder_final_norm,
        )


class NRDFERNet(nn.Module):
    """The network; `forward` is the whole sequence, `forward_with_snippets` adds the snippets' logits."""

    def __init__(self, settings: NRDFERNetSettings | None = None) -> None:
        super().__init__()
        self.settings = s = settings or NRDFERNetSettings()
        self.stem = make_stem(s.stem, s.widths, s.stage_blocks)
        self.dsf = DynamicStaticFusion(
            s.widths[-1],
            s.feature_side**2,
            s.spatial_encoder,
            dynamic_branch=s.dynamic_branch if s.dsf else "none",
            dynamic_blocks=s.dynamic_blocks,
            conv_d_kernel=s.conv_d_kernel,
            conv_d_activation=s.conv_d_activation,
            fusion_norm=s.fusion_norm,
            position_std=s.position_std,
        )
        self.temporal = TemporalStage(
            s.token_dim,
            s.frames - 1,
            s.temporal_encoder,
            dynamic_token=s.dct,
            position_std=s.position_std,
        )
        self.head = nn.Linear(s.token_dim, s.classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")  # code
        # Convolutions are up to twice as fast in this memory layout; values and state-dict shapes are the same.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's stub

    def features(self, x_BTCHW: Tensor) -> Tensor:
        """The spatial stage: clips (B, T, 3, H, W), values 0 to 1 -> flattened DS features (B, P, D)."""
        x_NCHW = x_BTCHW.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        maps_NCHW = self.stem(x_NCHW)
        maps_BTCHW = maps_NCHW.reshape(*x_BTCHW.shape[:2], *maps_NCHW.shape[1:])
        fused_BPChw: Tensor = self.dsf(maps_BTCHW)
        return fused_BPChw.flatten(2)

    def classify(self, features_BPD: Tensor, places_BP: Tensor | None = None) -> Tensor:
        """The temporal stage: (B, P, D) -> logits (B, K). For `places_BP` see `TemporalStage.forward`."""
        logits: Tensor = self.head(self.temporal(features_BPD, places_BP))
        return logits

    def classify_snippets(self, features_BPD: Tensor) -> Tensor:
        """Logits (B, S, K) of the snippets of sequences (B, P, D), each with its own class token (section 3.5)."""
        places_SL = torch.tensor([list(window) for window in self.settings.snippets], device=features_BPD.device)
        snippets_NLD = features_BPD[:, places_SL].flatten(0, 1)
        B, S = len(features_BPD), len(places_SL)
        true_places = places_SL.repeat(B, 1) if self.settings.snippet_position == "true" else None
        return self.classify(snippets_NLD, true_places).view(B, S, -1)

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Logits (B, K) of whole sequences."""
        return self.classify(self.features(x_BTCHW))

    def forward_with_snippets(self, x_BTCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, K) of the sequences and (B, S, K) of their snippets.

        The spatial stage runs once for both: in evaluation mode a DS feature depends on its own pair of frames only,
        so the snippets' logits are those of running the network on each snippet.
        """
        features_BPD = self.features(x_BTCHW)
        return self.classify(features_BPD), self.classify_snippets(features_BPD)
