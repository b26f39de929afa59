"""The snippet-based filter (paper, section 3.5, equations 6 and 7).

A clear non-neutral snippet vetoes neutral for the whole sequence: annotators call a clip neutral only if nothing
else happens in it. Shapes: B clips, S snippets, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nrdfer.emotions import NEUTRAL


def snippet_starts(length: int, width: int, stride: int) -> list[int]:
    """First positions of the snippets of a sequence (equation 6: floor((length - width) / stride) + 1 of them)."""
    if not 0 < width <= length or stride < 1:
        raise ValueError(f"snippets of {width} with stride {stride} do not fit a sequence of {length}")
    return list(range(0, length - width + 1, stride))


def find_vetoes(snippet_logits_BSK: Tensor, mu1: float, mu2: float) -> Tensor:
    """Whether some snippet is surely not neutral: (B,) bool.

    Equation 7 is strict on both sides (p_max > mu1 and p_neutral < mu2); with equality, which the paper leaves
    undefined, nothing is vetoed.
    """
    p_BSK = snippet_logits_BSK.softmax(-1)
    return ((p_BSK.amax(-1) > mu1) & (p_BSK[..., NEUTRAL] < mu2)).any(-1)


def filter_logits(
    logits_BK: Tensor, snippet_logits_BSK: Tensor, mu1: float = 0.7, mu2: float = 0.05
) -> Tensor:
    """Equation 7: (B, K) -> (B, K) with neutral's probability 0 (logit -inf) where a snippet vetoes it."""
    veto_B = find_vetoes(snippet_logits_BSK, mu1, mu2)
    neutral_K = torch.arange(logits_BK.shape[-1], device=logits_BK.device) == NEUTRAL
    return logits_BK.masked_fill(veto_B[:, None] & neutral_K, float("-inf"))
