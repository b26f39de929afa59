"""Settings of the snippet-based filter with which the predictions of one training run are read, if with any.

Applying a reading to stored logits belongs to ``nrdfer.evaluation.apply_filter``.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Thresholds around the defaults of section 4.2; the supplement's own grid is not in the paper's text.
MU1 = (0.5, 0.6, 0.7, 0.8, 0.9)
MU2 = (0.01, 0.03, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Reading:
    """Settings of the filter; None keeps the network's own.

    Raises:
        ValueError: a value that is not valid.
    """

    sf: bool = True  # False: the sequence's own logits decide
    width: int | None = None  # L
    stride: int | None = None  # S
    mu1: float | None = None
    mu2: float | None = None

    def __post_init__(self) -> None:
        for name in ("width", "stride"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        for name in ("mu1", "mu2"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} is a probability, not {value}")
