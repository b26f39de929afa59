"""NR-DFERNet (Li et al. 2022): stem, dynamic-static fusion, dynamic class token, snippets, in one readable network.

The defaults reproduce the published costs and parameters as far as they identify the network (31.3 M parameters,
4.37 G multiply-adds a clip, 5.08 with snippets; the paper's 6.33 G counts every transformer layer twice and includes
the snippets). Shapes: B clips, T frames, C channels, H x W, P = T - 1 pairs, S snippets, L pairs a snippet, D token
width, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from torch import Tensor, nn

from nrdfer.emotions import EMOTIONS
from nrdfer.models.dct import TemporalStage
from nrdfer.models.dsf import DynamicStaticFusion
from nrdfer.models.snippet_filter import snippet_starts
from nrdfer.models.stem import make_stem


@dataclass(frozen=True)
class NRDFERNetSettings:
    """Every choice in the network. Where the paper is silent, the comment says what decides the default."""

    image_size: int = 112
    frames: int = 16  # T = U * V
    stem: str = "resnet7x7"  # published costs; the author's later code: "double3x3"
    widths: tuple[int, ...] = (64, 128, 256)
    stage_blocks: tuple[int, ...] = (1, 1, 1)
    dynamic_blocks: int = 3
    spatial_depth: int = 2  # M, Table 3
    spatial_heads: int = 4
    spatial_dim_head: int = 32  # published costs
    spatial_mlp: int = 256  # published costs
    temporal_depth: int = 4  # N, Table 3
    temporal_heads: int = 4
    temporal_dim_head: int = 32  # published costs
    temporal_mlp: int = 512  # published costs
    dropout: float = 0.0  # author's code
    position_std: float = 0.02  # usual; author's code: 1
    dsf: bool = True  # False: static branch only (Table 1's baseline)
    dct: bool = True  # False: one learned class token (Table 1's baseline)
    snippet_width: int = 3  # L: dynamic-static features a snippet (author's code and published costs)
    snippet_stride: int = 2  # S
    mu1: float = 0.7
    mu2: float = 0.05
    classes: int = len(EMOTIONS)

    @property
    def feature_side(self) -> int:
        """Side of a dynamic-static feature map: the stem divides by 16, down-sampling by 2, rounding up."""
        side = self.image_size
        for _ in range(5):
            side = ceil(side / 2)
        return side

    @property
    def token_dim(self) -> int:
        """D: a flattened dynamic-static feature map."""
        return self.widths[-1] * self.feature_side**2


class NRDFERNet(nn.Module):
    """The network; `forward` is the whole sequence, `forward_with_snippets` adds the snippets' logits."""

    def __init__(self, settings: NRDFERNetSettings | None = None) -> None:
        super().__init__()
        self.settings = s = settings or NRDFERNetSettings()
        self.stem = make_stem(s.stem, s.widths, s.stage_blocks)
        self.dsf = DynamicStaticFusion(
            channels=s.widths[-1],
            places=s.feature_side**2,
            dynamic_blocks=s.dynamic_blocks,
            depth=s.spatial_depth,
            heads=s.spatial_heads,
            dim_head=s.spatial_dim_head,
            mlp=s.spatial_mlp,
            dropout=s.dropout,
            dynamic=s.dsf,
            position_std=s.position_std,
        )
        self.temporal = TemporalStage(
            dim=s.token_dim,
            length=s.frames - 1,
            depth=s.temporal_depth,
            heads=s.temporal_heads,
            dim_head=s.temporal_dim_head,
            mlp=s.temporal_mlp,
            dropout=s.dropout,
            dynamic_token=s.dct,
            position_std=s.position_std,
        )
        self.head = nn.Linear(s.token_dim, s.classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x_BTCHW: Tensor) -> Tensor:
        """The spatial stage: clips (B, T, 3, H, W), values 0 to 1 -> flattened DS features (B, P, D)."""
        B, T = x_BTCHW.shape[:2]
        maps_NCHW = self.stem(x_BTCHW.flatten(0, 1))
        fused_BPCHW: Tensor = self.dsf(maps_NCHW.view(B, T, *maps_NCHW.shape[1:]))
        return fused_BPCHW.flatten(2)

    def classify(self, features_BPD: Tensor) -> Tensor:
        """The temporal stage: (B, P, D) -> logits (B, K)."""
        logits: Tensor = self.head(self.temporal(features_BPD))
        return logits

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Logits (B, K) of whole sequences."""
        return self.classify(self.features(x_BTCHW))

    def forward_with_snippets(self, x_BTCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, K) of the sequences and (B, S, K) of their snippets.

        The spatial stage runs once: in evaluation mode a DS feature depends on its own pair of frames only.
        """
        features_BPD = self.features(x_BTCHW)
        s = self.settings
        starts = snippet_starts(features_BPD.shape[1], s.snippet_width, s.snippet_stride)
        windows_BSDL = features_BPD.unfold(1, s.snippet_width, s.snippet_stride)
        snippets_NLD = windows_BSDL.flatten(0, 1).transpose(1, 2)
        snippet_logits = self.classify(snippets_NLD).view(len(features_BPD), len(starts), -1)
        return self.classify(features_BPD), snippet_logits
