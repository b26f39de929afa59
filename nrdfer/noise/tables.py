"""The findings as Markdown tables. Sentences about them belong to ``page``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from nrdfer.config.noise import N1, N2
from nrdfer.core.markdown_text import table
from nrdfer.noise.measure import LETTERS

NAMES = {"baseline": "baseline", "dct": "DCT", "dsf": "DSF", "dsf-dct": "DSF + DCT"}
KINDS = {
    "n1_noface": "no face",
    "n1_occluded": "covered face",
    "n1_person_acting": "another person, acting",
    "n1_person_neutral": "another person, neutral",
}
READINGS = {"product": "product (the paper's)", "mean": "mean", "rollout": "rollout", "use": "use"}
NOTHING = "-"


def number(cell: Mapping[str, float] | None, digits: int = 1) -> str:
    """A figure with its interval."""
    if cell is None:
        return NOTHING
    return f"{cell['value']:.{digits}f} ({cell['low']:.{digits}f} to {cell['high']:.{digits}f})"


def p_value(p: float) -> str:
    """A p-value; tiny ones are not told exactly."""
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def verdicts(found: Mapping[str, Any]) -> str:
    """The contrasts, with what each is decided by."""
    rows = (
        [
            row["claim"],
            f"**{row['verdict']}**",
            row["measured"],
            number(row["estimate"], 2),
            f"{row['estimate']['freedom']:.1f}",
            p_value(row["estimate"]["p"]),
            p_value(row["adjusted"]),
        ]
        for row in found["verdicts"]
    )
    return table(["claim", "verdict", "measured, points", "value (95 %)", "degrees of freedom", "p", "p, Holm"], rows)


def stages(found: Mapping[str, Any]) -> str:
    """WAR and slopes of every token and arm."""
    names = ("clean", "slope n1", "slope n2")
    rows = []
    for row in found["stages"]:
        less = row["less"] or dict.fromkeys(names)
        rows.append([row["arm"], row["token"], *(number(row[n]) for n in names), *(number(less[n]) for n in names)])
    header = ["arm", "token", "WAR without noise", "N1", "N2"]
    return table([*header, "less learned: without noise", "N1", "N2"], rows)


def premise(found: Mapping[str, Any]) -> str:
    """How often a frame of N1 is farther from the mean, by level."""
    levels = found["settings"]["n1_levels"][1:]
    return table([f"{100 * level:.0f} %" for level in levels], [[number(cell) for cell in found["premise"]]])


def attention(found: Mapping[str, Any]) -> str:
    """Attention on N1 by share, in every reading."""
    rows = [
        [NAMES.get(row["token"], row["token"]), *(number(row["readings"].get(r), 2) for r in READINGS),
         number(row["pull"], 2)]
        for row in found["attention"]
    ]  # fmt: skip
    return table(["token, or network", *READINGS.values(), "what N1 adds to the true logit"], rows)


def kinds(found: Mapping[str, Any]) -> str:
    """The same by kind of N1: the paper's reading, and use."""
    rows = []
    for row in found["attention"]:
        for reading in ("product", "use"):
            cells = [of.get(reading) for of in row["kinds"].values()]
            if any(cells):
                rows.append([row["token"], READINGS[reading], *(number(cell, 2) for cell in cells)])
    return table(["token", "measure", *KINDS.values()], rows)


def filters(found: Mapping[str, Any]) -> str:
    """What the filter does."""
    names = ("others", "neutral", "selectivity", "lost", "gain", "over random")
    rows = ([NAMES.get(row["of"], row["of"]), *(number(row[name], 2) for name in names)] for row in found["filter"])
    header = ["not neutral, vetoed", "neutral, vetoed", "selectivity", "neutral lost", "WAR gained", "over random"]
    return table(["arm and token, or network", *header], rows)


def curve(found: Mapping[str, Any], stage: str, kind: str) -> str:
    """WAR over the levels of one kind of noise."""
    picked = [one for one in found["curves"] if one["stage"] == stage and one["kind"] == kind]
    rows = ([setting(one["of"]), *(number(point) for point in one["points"])] for one in picked)
    return table(["", *(f"{100 * level:.0f} %" for level in picked[0]["levels"])], rows)


def order(found: Mapping[str, Any]) -> str:
    """How often each neighbouring pair of Table 1 is in the published order."""
    letters = "".join(LETTERS)
    steps = [f"{one} to {two}" for one, two in pairwise(letters)]
    return table(steps, [[f"{100 * share:.0f} %" for share in found["order"]["in_order"]]])


def setting(name: str) -> str:
    """A setting of Table 1 in words; other names as they are."""
    if name not in LETTERS:
        return name
    network, filtered = LETTERS[name]
    return f"{name}: {NAMES[network]}{' + SF' if filtered else ''}"


def titled(parts: Sequence[tuple[str, str]]) -> str:
    """Tables under bold titles."""
    return "\n\n".join(f"**{title}**\n\n{rows}" for title, rows in parts)


def all_tables(found: Mapping[str, Any]) -> str:
    """Every table of the page but the verdicts."""
    return titled(
        [
            ("How often a frame of N1 is farther from the mean, by share of N1, %", premise(found)),
            ("WAR on frozen features, and its change where half of the frames are noise, points", stages(found)),
            ("Attention on N1 by share (1: like any other frame)", attention(found)),
            ("The same by kind of N1", kinds(found)),
            ("What the filter does, clips without noise and N2, %", filters(found)),
            ("WAR over N1, trained end to end, %", curve(found, "networks", N1)),
            ("WAR over N2, trained end to end, %", curve(found, "networks", N2)),
            ("WAR over N1, frozen features, %", curve(found, "stages", N1)),
            ("WAR over N2, frozen features, %", curve(found, "stages", N2)),
            ("Seeds in which a setting of Table 1 is above the one before", order(found)),
        ]
    )
