"""Decisions of Table 3's six costs among the settings of NR-DFERNet: what they decide and leave open, counted.

One setting, or a pair, is changed at a time, and the six networks are counted as the published figures were
(``flops.count_published``): three small ones, since costs are linear in both depths. What the costs leave open is taken
from the first author's later code. Behind the table in docs/models.md; nothing is computed, networks are on PyTorch's
meta device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from nrdfer.models.flops import count_published
from nrdfer.models.registry import build_model

#: Published multiply-adds (G) of NR-DFERNet, Table 3, by (M, N).
TABLE_3 = {(1, 4): 6.20, (2, 4): 6.33, (3, 4): 6.46, (1, 6): 7.31, (2, 6): 7.44, (3, 6): 7.57}
HEADER = ("changed", "of Table 3's six figures matched")

#: Changes laid over the preset ``paper``.
CHANGES: tuple[Mapping[str, Any], ...] = (
    {"stem": "double3x3"},
    {"stage_blocks": (2, 2, 2)},
    {"dynamic_branch": "plain"},
    {"dynamic_blocks": 2},
    {"conv_d_kernel": 1},
    {"snippet_unit": "frame"},
    {"temporal_dim_head": 64, "temporal_mlp": 256},
    {"temporal_dim_head": 48, "temporal_mlp": 384},
    {"temporal_dim_head": 16, "temporal_mlp": 640},
    {"temporal_dim_head": 80, "temporal_mlp": 128},
    {"spatial_dim_head": 16, "spatial_mlp": 384},
    {"spatial_dim_head": 48, "spatial_mlp": 128},
    {"conv_d_activation": False},
    {"fusion_norm": "batch"},
    {"encoder_norm": "post"},
    {"encoder_final_norm": True},
    {"activation": "relu"},
    {"dropout": 0.1},
    {"snippet_position": "true"},
    {"position_std": 0.02},
    {"mu1": 0.75, "mu2": 0.03},
)


@dataclass(frozen=True)
class Count:
    """The costs of one change."""

    changed: Mapping[str, Any]
    matched: int  # of the six figures

    @property
    def decides(self) -> bool:
        """Whether Table 3 speaks against the change."""
        return self.matched < len(TABLE_3)


def row(count: Count) -> list[str]:
    """Cells below `HEADER`, the settings as a profile has them."""
    settings = (
        f"`{name}: {list(value) if isinstance(value, tuple) else _plain(value)}`"
        for name, value in count.changed.items()
    )
    return [", ".join(settings), f"{count.matched} of {len(TABLE_3)}"]


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def count_changes() -> Iterator[Count]:
    """Count every change, in order."""
    for changed in CHANGES:
        yield Count(changed, figures_matched(changed))


def figures_matched(changed: Mapping[str, Any]) -> int:
    """How many of the six figures a network with these settings costs, to both digits that are printed."""
    start = _counted(changed, 1, 1)
    spatial, temporal = _counted(changed, 2, 1) - start, _counted(changed, 1, 2) - start
    counted = {(m, n): start + (m - 1) * spatial + (n - 1) * temporal for m, n in TABLE_3}
    return sum(round(counted[depths], 2) == figure for depths, figure in TABLE_3.items())


def _counted(changed: Mapping[str, Any], m: int, n: int) -> float:
    """G multiply-adds by the published counting."""
    with torch.device("meta"):
        model = build_model("nr-dfernet", {**changed, "spatial_depth": m, "temporal_depth": n}).eval()
        x_BTCHW = torch.zeros(1, 16, 3, 112, 112)
        return count_published(model, lambda: model.forward_with_snippets(x_BTCHW), encoder_layers_twice=True) / 1e9
