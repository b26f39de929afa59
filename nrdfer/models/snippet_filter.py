"""The snippet-based filter (paper, section 3.5, equations 6 and 7).

A clear non-neutral snippet vetoes neutral for the whole sequence: annotators call a clip neutral only if nothing
else happens in it. In a label set without neutral nothing can be vetoed. How snippets are classified belongs to
``nrdfernet``. Shapes: B clips, S snippets, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

SNIPPET_UNITS = ("pair", "frame")
FILTER_OUTPUTS = ("renormalised", "zeroed")


def snippet_starts(length: int, width: int, stride: int) -> list[int]:
    """First positions of the snippets of a sequence (equation 6: floor((length - width) / stride) + 1 of them).

    Raises:
        ValueError: a snippet does not fit, or the stride is not positive.
    """
    if not 0 < width <= length or stride < 1:
        raise ValueError(f"snippets of {width} with stride {stride} do not fit a sequence of {length}")
    return list(range(0, length - width + 1, stride))


def snippet_windows(frames: int, width: int, stride: int, unit: str = "pair") -> list[range]:
    """Dynamic-static features (0 to frames - 2) of each snippet.

    Args:
        frames: T of the sequence.
        width: L, in `unit`s.
        stride: the paper's S, in `unit`s.
        unit: ``pair``: L consecutive dynamic-static features, slid over the T - 1 of the sequence (the author's
            later code, and the published costs); ``frame``: L frames, hence L - 1 features, slid over the T frames
            (the paper's words). Both give 7 snippets for T=16, L=3, S=2.

    Raises:
        ValueError: a snippet does not fit or holds no feature, or the unit is unknown.
    """
    if unit == "pair":
        return [range(start, start + width) for start in snippet_starts(frames - 1, width, stride)]
    if unit == "frame":
        if width < 2:
            raise ValueError("a snippet of one frame has no pair of frames, hence no feature; snippet_width >= 2")
        return [range(start, start + width - 1) for start in snippet_starts(frames, width, stride)]
    raise ValueError(f"snippet_unit must be one of {SNIPPET_UNITS}, not {unit!r}")


def find_vetoes(snippet_logits_BSK: Tensor, mu1: float, mu2: float, neutral: int | None) -> Tensor:
    """Whether some snippet is confidently not neutral: (B,) bool.

    Equation 7 is strict on both sides (p_max > mu1 and p_neutral < mu2); with equality, which the paper leaves
    undefined, nothing is vetoed. Nor is it if the label set has no `neutral` (its class index).
    """
    if neutral is None:
        return torch.zeros(snippet_logits_BSK.shape[0], dtype=torch.bool, device=snippet_logits_BSK.device)
    p_BSK = snippet_logits_BSK.softmax(-1)
    return ((p_BSK.amax(-1) > mu1) & (p_BSK[..., neutral] < mu2)).any(-1)


def filter_logits(logits_BK: Tensor, veto_B: Tensor, neutral: int | None) -> Tensor:
    """Equation 7: (B, K) -> (B, K) with neutral's logit -inf where a snippet vetoes it (`find_vetoes`)."""
    if neutral is None:
        return logits_BK
    neutral_K = torch.arange(logits_BK.shape[-1], device=logits_BK.device) == neutral
    return logits_BK.masked_fill(veto_B[:, None] & neutral_K, float("-inf"))


def filter_probabilities(
    logits_BK: Tensor, veto_B: Tensor, neutral: int | None, output: str = "renormalised"
) -> Tensor:
    """Equation 7 as probabilities: (B, K) -> (B, K), neutral's 0 where a snippet vetoes it.

    Args:
        logits_BK: of the sequences.
        veto_B: from `find_vetoes`.
        neutral: its class index; None if the label set has none.
        output: ``renormalised``: the other probabilities are scaled to sum to 1; ``zeroed``: they stay as they were
            ("the predicted probability of neutral set to zero"). The most probable emotion is the same.

    Raises:
        ValueError: unknown `output`.
    """
    if output == "renormalised":
        return filter_logits(logits_BK, veto_B, neutral).softmax(-1)
    if output == "zeroed":
        if neutral is None:
            return logits_BK.softmax(-1)
        neutral_K = torch.arange(logits_BK.shape[-1], device=logits_BK.device) == neutral
        return logits_BK.softmax(-1).masked_fill(veto_B[:, None] & neutral_K, 0.0)
    raise ValueError(f"output must be one of {FILTER_OUTPUTS}, not {output!r}")
