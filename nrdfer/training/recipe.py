"""The recipe: every setting of one training, frozen. The defaults are the paper's for DFEW (section 4.2).

What the paper leaves open is chosen here once: momentum .9 and weight decay 1e-4 are those of Former-DFER, whose
code the author's repositories continue; gamma .9 is the reading of "exponential rate" that ends where the author's
later step schedule ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nrdfer.clips.augment import AugmentSettings


@dataclass(frozen=True)
class Recipe:
    """Settings of one training."""

    epochs: int = 70
    batch: int = 32
    lr: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: str = "exponential"  # per epoch; or "onecycle": warm-up and cosine over all batches
    gamma: float = 0.9  # of the exponential schedule
    warmup: float = 0.3  # share of all batches, of the one-cycle schedule
    clip_norm: float | None = None  # gradient norm limit
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    segments: int = 8  # U
    duration: int = 2  # V
    oversample: bool = False  # Table 5, second row of the method
    seed: int = 0
    device: str = "auto"  # auto | cpu | cuda
    threads: int = 0  # CPU threads; 0 leaves torch's choice. Part of the recipe: sums depend on it

    def __post_init__(self) -> None:
        if self.schedule not in ("exponential", "onecycle"):
            raise ValueError(f"schedule must be 'exponential' or 'onecycle', not {self.schedule!r}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be 'auto', 'cpu' or 'cuda', not {self.device!r}")
        for name in ("epochs", "batch", "segments", "duration"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.lr <= 0:
            raise ValueError(f"lr must be positive, not {self.lr}")

    @property
    def frames(self) -> int:
        """T = U * V, frames the network sees."""
        return self.segments * self.duration
