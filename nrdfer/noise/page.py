"""The page about the benchmark, made of its findings: every sentence about a result is chosen by the figure in it.

Tables belong to ``tables``. Without findings the page says what will be decided, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nrdfer.config.noise import ARMS, CONTRASTS, DYNAMIC, LEARNED
from nrdfer.core.markdown_text import table
from nrdfer.noise import tables
from nrdfer.noise.tables import number, p_value
from nrdfer.noise.verdicts import ALPHA, CONTRADICTED, HOLDS, NO_DIFFERENCE, UNDECIDED
from nrdfer.noise.wording import COMMAND, HEAD, LIMITS, how

PICTURES = {
    "noise_contrasts.png": "the contrasts with their intervals",
    "noise_war.png": "WAR as noise grows",
    "noise_attention.png": "attention on N1 frames, and their use",
    "noise_filter.png": "what the filter vetoes",
}
_VERDICTS = {
    HOLDS: "This holds",
    CONTRADICTED: "This is contradicted: the opposite was measured",
    NO_DIFFERENCE: "There is no difference beyond the margin",
    UNDECIDED: "This is undecided",
}


def page(found: Mapping[str, Any] | None, *, pictures: str = "pictures/") -> str:
    """The whole page as Markdown.

    Args:
        found: from `nrdfer.noise.findings.find`; None: the benchmark has not been run.
        pictures: folder of the pictures, with its slash.
    """
    settings: Mapping[str, Any] = {} if found is None else found["settings"]
    parts = [HEAD, how(settings), "## What was found"]
    if found is None:
        rows = [[contrast.claim, contrast.measured] for contrast in CONTRASTS.values()]
        parts += [
            "This edition of the benchmark has not been run yet: the figures, sentences and pictures of this section "
            f"come when `{COMMAND}` has. These claims will be decided:",
            table(["claim", "measured, points"], rows),
        ]
    else:
        parts += [
            summary(found),
            *(f"- {sentence}" for sentence in sentences(found)),
            tables.verdicts(found),
            *(f"![{words}]({pictures}{name})" for name, words in PICTURES.items()),
            tables.all_tables(found),
        ]
    return "\n\n".join([*parts, LIMITS]).replace("\n\n- ", "\n- ").replace(":\n- ", ":\n\n- ") + "\n"


def summary(found: Mapping[str, Any]) -> str:
    """What the section's figures are of."""
    s = found["settings"]
    return (
        f"Preset `{s['preset']}`: {s['backbones']} frozen networks with {s['stage_seeds']} stages of each token and "
        f"arm, {s['seeds']} end-to-end trainings of each network, {s['test_people']} people to test. The claims were "
        f"named before (sha256 {found['registered_sha256'][:12]}). The widest interval of a difference of WAR among "
        f"the claims about frozen features is {found['widest_war_contrast']:.1f} points wide. In short:"
    )


def sentences(found: Mapping[str, Any]) -> list[str]:
    """The findings in words."""
    said = [_verdict(row, found["settings"]["margin"]) for row in found["verdicts"]]
    return [*said, _order(found), *_attention(found), *_filter(found)]


def _verdict(row: Mapping[str, Any], margin: float) -> str:
    small = row["verdict"] in (HOLDS, CONTRADICTED) and abs(row["estimate"]["value"]) < margin
    less = ", less than the margin" if small else ""
    return (
        f"{row['claim']}. {_VERDICTS[row['verdict']]}: {number(row['estimate'], 2)} points{less} "
        f"(p after Holm's correction {p_value(row['adjusted'])})."
    )


def _order(found: Mapping[str, Any]) -> str:
    order, seeds = found["order"], found["settings"]["seeds"]
    words = "rises with the published order" if order["p"] < ALPHA else "is not shown to rise with the published order"
    pairs = sum(share > 0.5 for share in order["in_order"])
    return (
        f"WAR {words} a to h of Table 1 over {seeds} seeds (Page's L {order['statistic']:.1f}, by chance "
        f"{order['chance']:.1f}, p {p_value(order['p'])}); {pairs} of {len(order['in_order'])} neighbouring pairs are "
        "in that order in more than half of the seeds."
    )


def _attention(found: Mapping[str, Any]) -> list[str]:
    said = []
    for row in found["attention"]:
        if row["token"] not in (LEARNED, DYNAMIC):
            continue
        read, use = row["readings"]["product"], row["readings"]["use"]
        said.append(
            f"On frozen features the {row['token']} token gives frames of N1 {number(read, 2)} times their share of "
            f"attention, {beside_one(read)}; of what single frames change in the true emotion's logit, they have "
            f"{number(use, 2)} times their share, {beside_one(use)}."
        )
    return said


def beside_one(cell: Mapping[str, float]) -> str:
    """What an interval of a multiple of a share says."""
    if cell["high"] < 1:
        return "less than other frames"
    return "more than other frames" if cell["low"] > 1 else "not told from other frames"


def _filter(found: Mapping[str, Any]) -> list[str]:
    rows = {row["of"]: row for row in found["filter"]}
    said = []
    for arm in ARMS:
        row = rows[f"{arm}: {DYNAMIC}"]
        if row["selectivity"] is None:
            said.append(
                f"In arm {arm} too few clips are called neutral to tell which the filter vetoes (dynamic token)."
            )
            continue
        said.append(
            f"In arm {arm} the filter vetoes {number(row['others'])} % of the clips called neutral that are not, and "
            f"{number(row['neutral'])} % of those that are; it loses {number(row['lost'])} % of all neutral clips, and "
            f"changes WAR by {number(row['gain'], 2)} points (dynamic token)."
        )
    return said
