"""The section of the report on robustness against noise, from what the noise benchmark measured.

Measuring belongs to ``nrdfer.noise``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nrdfer.core.optional_output import not_there
from nrdfer.noise.plots import ATTENTION_PICTURE, CONTRASTS_PICTURE, FILTER_PICTURE, WAR_PICTURE
from nrdfer.noise.report import JSON
from nrdfer.reporting.page import Picture, Section

if TYPE_CHECKING:
    from nrdfer.reporting.collect import Findings

_PICTURES = {
    CONTRASTS_PICTURE: (
        "The claims that were named beforehand",
        "With their 95 % intervals and verdicts; grey is the margin within which a difference does not matter.",
        "Intervals of the named contrasts beside 0.",
    ),
    WAR_PICTURE: (
        "WAR as noise grows",
        "Above over N1, below over N2; left the tokens on frozen features, right the networks trained end to end.",
        "Curves of WAR over the share of noisy frames.",
    ),
    ATTENTION_PICTURE: (
        "Attention on N1 frames, and their use",
        "As a multiple of their share of all frames; 1 is what an even share would be. Use is what replacing a frame's "
        "feature changes in the true emotion's logit.",
        "Points with intervals for every token and reading.",
    ),
    FILTER_PICTURE: (
        "What the filter vetoes",
        "Of clips called neutral, the share that is vetoed: those that are not neutral beside those that are.",
        "Pairs of points with intervals for every arm and token, and for the networks.",
    ),
}


def noise_section(found: Findings) -> Section:
    """What the benchmark measured, or the command that runs it."""
    title, lead = "Robustness against noise", "What the paper shows in pictures, measured on frames known to be noise."
    if found.noise is None:
        line = "nrdfer run noise_benchmark"
        return Section("noise", title, lead, open=f"Not run yet. This command measures it:\n\n    {line}")
    folder = found.noise.path
    measured = json.loads((folder / JSON).read_text())
    return Section(
        "noise",
        title,
        f"{lead} Preset {measured['settings']['preset']} of `nrdfer/config/noise.py`, which has its own rendered "
        "clips, whatever the profile's corpora are.",
        pictures=tuple(
            Picture(folder / name, *words) if (folder / name).is_file() else not_there(words[0], folder / name)
            for name, words in _PICTURES.items()
        ),
        facts=tuple(
            (
                verdict["claim"],
                f"{verdict['verdict']}: {verdict['estimate']['value']:.2f} (95 % {verdict['estimate']['low']:.2f} to "
                f"{verdict['estimate']['high']:.2f}); {verdict['measured']}; points",
            )
            for verdict in measured["verdicts"]
        ),
    )
