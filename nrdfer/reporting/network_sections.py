"""Sections of the report on what the network does inside: where its class token looks, what its classifier sees.

Drawing belongs to ``figures`` and ``captioned_figures``; the other sections to ``sections``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nrdfer.core.errors import StoreError
from nrdfer.corpora.dfew import DFEW
from nrdfer.experiments.catalogue import TABLE_1
from nrdfer.experiments.fill import line_of
from nrdfer.reporting import captioned_figures
from nrdfer.reporting.figures.planted_noise import Noise, read_planted_noise
from nrdfer.reporting.page import Section

if TYPE_CHECKING:
    from nrdfer.reporting.collect import Findings

_WHILE_DEV = "While `nrdfer dev` runs in another shell, this command, in an activated shell, trains what is missing:"


def attention_section(found: Findings, folds: Mapping[str, Path], folder: Path) -> Section:
    """Attention of the class token; pictures are drawn into `folder`.

    Args:
        found: everything.
        folds: evaluations of at least one fold.
        folder: of the pictures.

    Raises:
        StoreError: the shards that the folds were tested on are gone.
    """
    from nrdfer.preprocessing.corpus_listing import corpus_root

    def noise() -> Noise:
        return read_planted_noise(corpus_root(found.profile, DFEW)) if found.profile.corpora.rendered else {}

    first = next(iter(folds))
    other = None if found.learned_token is None else found.learned_token.path
    if found.dfew_shards is None:
        raise StoreError(f"the shards of {DFEW.title} that these folds were tested on are gone")
    picture = captioned_figures.attention_picture(folds[first], other, found.dfew_shards.path, noise, folder)
    noisy = captioned_figures.noisy_frames_picture(folds[first], found.dfew_shards.path, noise, folder)
    missing = ""
    if picture is None:
        missing = f"The network {found.profile.model} has no class token to show."
    elif other is None:
        missing = (
            f"The learned token's bars come from Table 1's network with DSF and without DCT. {_WHILE_DEV}\n\n    "
            f"{line_of(TABLE_1)}"
        )
    return Section(
        "attention",
        "Attention of the class token",
        "The paper's Figure 5: the dynamic class token is the mean of the clip's own features, and by the paper looks "
        "less at frames that do not show the target (N1). Whether it does here, the caption says. Clips are chosen by "
        "what was planted in them, not by the result.",
        pictures=tuple(one for one in (noisy, picture) if one is not None),
        open=missing,
    )


def features_section(found: Findings, folds: Mapping[str, Path], folder: Path) -> Section:
    """Features before the classifier; the picture is drawn into `folder`."""
    baseline = {fold: artifact.path for fold, artifact in found.baseline.items()}
    missing = (
        ""
        if len(baseline) == len(folds)
        else f"The baseline's row comes from Table 1's setting a. {_WHILE_DEV}\n\n    {line_of(TABLE_1)}"
    )
    return Section(
        "features",
        "What the classifier sees",
        "The paper's Figure 6. A t-SNE picture can be misleading; so the numbers beside it are taken in "
        "the features themselves.",
        pictures=(captioned_figures.features_picture(folds, baseline, folder),),
        open=missing,
    )
