"""Settings of a rendered corpus: number of people and clips, their length, and the amount of planted noise."""

from __future__ import annotations

from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True)
class CorpusSettings:
    """A rendered corpus; the defaults are the sample that the profile ``sample`` runs on.

    Every person is filmed once for each of the seven emotions. The people of DFEW's folds, of AFEW's two splits
    and of the two corpora are all different.
    """

    seed: int = 0
    identities: int = 120  # DFEW: people; one fold holds every fifth
    frames: Span = (16, 28)  # DFEW: shortest and longest clip
    afew_train_identities: int = 10
    afew_val_identities: int = 6
    afew_frames: Span = (18, 30)
    n1_clips: float = 0.6  # share of clips in which noise N1 is planted
    n1_rate: float = 0.1  # share of frames without the clip's face (noise N1) in those
    n2_rate: float = 0.2  # share of non-neutral clips that are mostly neutral frames (noise N2)
    dark_rate: float = 0.25  # share of AFEW clips that are badly lit
    second_person_rate: float = 0.25  # share of AFEW clips in which a second person is visible
    amplitude: float = 1.5  # factor on the strength of every expression: 1 is everyday, smaller is harder
    jpeg_quality: int = 90  # of DFEW's frames

    def __post_init__(self) -> None:
        if self.identities < 5 or self.identities % 5:
            raise ValueError(f"identities={self.identities}: five folds of different people need a multiple of 5")
        if self.afew_train_identities < 1 or self.afew_val_identities < 1:
            raise ValueError("afew_train_identities and afew_val_identities must be at least 1")
        for name in ("frames", "afew_frames"):
            span = tuple(getattr(self, name))
            if len(span) != 2 or not 2 <= span[0] <= span[1]:
                raise ValueError(f"{name}={span}: expected (shortest, longest) with 2 <= shortest <= longest")
        for name, most in (
            ("n1_clips", 1),
            ("n1_rate", 0.6),
            ("n2_rate", 1),
            ("dark_rate", 1),
            ("second_person_rate", 1),
        ):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name}={getattr(self, name)} is outside 0 to {most}")
        if self.amplitude < 0:
            raise ValueError(f"amplitude={self.amplitude} is negative")
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality={self.jpeg_quality} is outside 1 to 100")

    @classmethod
    def tiny(cls, seed: int = 0) -> CorpusSettings:
        """The smallest corpus with every part: one person a fold, short clips; seconds to render."""
        return cls(
            seed=seed,
            identities=5,
            frames=(8, 12),
            afew_train_identities=1,
            afew_val_identities=1,
            afew_frames=(8, 12),
        )
