"""A comparison of two networks as text, as plain data and as a picture.

The tests belong to ``nrdfer.evaluation``; the report's tables of pairs to ``comparison_table``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nrdfer.core.plain_text import one_line
from nrdfer.evaluation.paired_comparison import Answers, Comparison
from nrdfer.evaluation.paired_tests import Difference, McNemar
from nrdfer.evaluation.result_table import UAR, WAR
from nrdfer.plotting.style import BLACK, BLUE, NORMAL, ORANGE, SMALL, new_figure, plot_label, save, tidy
from nrdfer.reporting.comparison_table import p_text
from nrdfer.reporting.table_layout import number

_LISTED = 8  # clips that the text names; the JSON has all
PAPER = "paper"  # the protocol that chooses the epoch on test clips
_MEANING = {"honest": "last epoch", "paper": "best epoch on the test fold"}


def data_of(found: Comparison) -> dict[str, Any]:
    """All of a comparison as plain data; figures and differences in percent, p-values as they are."""
    first = found.aggregates[0]
    return {
        "protocol": found.a.protocol,
        "chosen_on_test_clips": found.a.protocol == PAPER,
        "clips": len(found.a.clip_ids),
        "a": _side(found.a, first),
        "b": _side(found.b, first),
        "differences": [
            {
                "measure": d.measure,
                "aggregate": d.aggregate,
                "a_minus_b": 100 * d.value,
                "low": 100 * d.low if d.has_interval else None,
                "high": 100 * d.high if d.has_interval else None,
                **({"note": d.note} if d.note else {}),
            }
            for d in found.differences
        ],
        "over_seeds": {measure: list(interval) for measure, interval in found.over_seeds.items()},
        "mcnemar": [
            {**({"seed": seed} if seed is not None else {}), "only_a": t.only_a, "only_b": t.only_b, "p": t.p_value}
            for seed, t in _seeds(found)
        ],
        "p": found.p_value,
        "only_a_right": _clips(found, found.disagreements(a_is_right=True)),
        "only_b_right": _clips(found, found.disagreements(a_is_right=False)),
    }


def lines_of(found: Comparison) -> Iterator[str]:
    """A comparison as lines of text."""
    first, folds = found.aggregates[0], len(set(found.a.folds))
    over = f", {folds} splits" if folds > 1 else ""
    yield f"A: {found.a.name}"
    yield f"B: {found.b.name}"
    meaning = _MEANING[found.a.protocol]
    yield f"{len(found.a.clip_ids)} test clips{over}; {found.a.protocol} protocol ({meaning}); percent, {first}"
    if found.a.protocol == PAPER:
        yield "note: both epochs were chosen on these clips, so that intervals and p-values promise too much"
    yield ""
    yield f"{'':<12} {'A':>7} {'B':>7} {'A - B':>8}   95 % interval"
    notes: dict[str, list[str]] = {}
    for measure in (WAR, UAR, *found.a.emotions):
        difference = found.difference(measure)
        if difference is None:
            yield f"{one_line(measure):<12} no test clip"
            continue
        a, b = (float(np.mean(side.values(measure, first))) for side in (found.a, found.b))
        yield (
            f"{one_line(measure):<12} {number(a):>7} {number(b):>7} {number(100 * difference.value, signed=True):>8}   "
            f"{_interval(100 * difference.low, 100 * difference.high) if difference.has_interval else 'none'}"
        )
        if difference.note:
            notes.setdefault(difference.note, []).append(one_line(measure))
    for note, measures in notes.items():
        yield f"{', '.join(measures)}: {note}"
    yield ""
    for measure, (low, high) in found.over_seeds.items():
        by = "paired t, other trainings read both ways" if found.same_trainings else "Welch, other trainings"
        yield f"{measure} over seeds ({by}, on these clips): {_interval(low, high)}"
    for number_of, (seed, test) in enumerate(_seeds(found), start=1):
        which = f"pair {number_of}" if seed is None else f"seed {seed}"
        name = f"McNemar, {which}" if len(found.mcnemar) > 1 else "McNemar (exact)"
        yield f"{name}: only A right {test.only_a}, only B right {test.only_b}; {_p(test.p_value)}"
    if len(found.mcnemar) > 1:
        yield f"together, twice the median: {_p(found.p_value)}"
    yield ""
    for side, a_is_right in (("A", True), ("B", False)):
        clips = found.disagreements(a_is_right=a_is_right)
        named = ", ".join(one_line(found.a.clip_ids[n]) for n in clips[:_LISTED])
        more = f" and {len(clips) - _LISTED} more" if len(clips) > _LISTED else ""
        often = " in most of its trainings" if len(found.mcnemar) > 1 else ""
        yield f"only {side} right{often}: {len(clips)} clips{f': {named}{more}' if clips else ''}"
    yield "Clips count as independent; where several show one person or film, p and intervals are on the small side."


def draw_comparison(found: Comparison, path: Path) -> None:
    """Draw the differences with their intervals, and of each emotion the clips that only one gets right; a PNG."""
    differences = [d for m in (WAR, UAR, *found.a.emotions) if (d := found.difference(m)) is not None]
    figure = new_figure(9.4, 1.9 + 0.36 * len(differences))
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    _draw_differences(left, differences)
    only = [found.disagreements(a_is_right=a_is_right) for a_is_right in (True, False)]
    y = np.arange(len(found.a.emotions))
    for clips, name, colour, hatch, shift in zip(only, "AB", (BLUE, ORANGE), ("", "///"), (-0.2, 0.2), strict=True):
        counts = np.bincount(found.a.truth[clips], minlength=len(y))
        bars = right.barh(y + shift, counts, 0.38, color=colour, hatch=hatch, edgecolor=BLACK, linewidth=0.6,
                          label=f"only {name} right ({counts.sum()})")  # fmt: skip
        right.bar_label(bars, fontsize=SMALL, padding=2)
    right.set_yticks(y, [plot_label(emotion) for emotion in found.a.emotions])
    right.set_ylim(len(y) - 0.4, -0.6)
    right.margins(x=0.12)
    right.set_xlabel("test clips", fontsize=NORMAL)
    right.set_title(f"McNemar: {_p(found.p_value)}", fontsize=NORMAL)
    tidy(right, grid="x")
    right.tick_params(axis="y", labelsize=NORMAL, length=0)
    right.legend(fontsize=SMALL, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    names = (plot_label(_short(side.name)) for side in (found.a, found.b))
    figure.suptitle("A: {}\nB: {}".format(*names), fontsize=NORMAL, x=0.01, ha="left")
    save(figure, path)


def _draw_differences(axes: Any, differences: list[Difference]) -> None:
    y = np.arange(len(differences))
    values, low, high = (np.array([100 * getattr(d, name) for d in differences]) for name in ("value", "low", "high"))
    bounds = np.maximum(np.stack([values - low, high - values]), 0)  # rounding may put a value on the other side
    axes.axvline(0, color=BLACK, linewidth=0.8)
    axes.errorbar(values, y, xerr=bounds, fmt="o", ms=5, color=BLUE, ecolor=BLACK, elinewidth=1.1, capsize=2.5)
    axes.set_yticks(y, [plot_label(d.measure) for d in differences])
    axes.set_ylim(len(y) - 0.4, -0.6)
    axes.set_xlabel("A minus B, points (whiskers: 95 % paired bootstrap over clips)", fontsize=NORMAL)
    tidy(axes, grid="x")
    axes.tick_params(axis="y", labelsize=NORMAL, length=0)


def _seeds(found: Comparison) -> list[tuple[int | None, McNemar]]:
    """McNemar's tests, each with the seed of its pair, None where that is not known."""
    return list(zip(found.seeds or [None] * len(found.mcnemar), found.mcnemar, strict=True))


def _side(answers: Answers, aggregate: str) -> dict[str, Any]:
    by_seed = {measure: answers.values(measure, aggregate) for measure in (WAR, UAR)}
    figures = {measure: float(np.mean(values)) for measure, values in by_seed.items()}
    return {"name": answers.name, "trainings": len(answers.predicted), **figures, "by_seed": by_seed}


def _clips(found: Comparison, where: list[int]) -> list[dict[str, Any]]:
    def answered(answers: Answers, n: int) -> str | list[str]:
        given = [answers.emotions[k] for k in answers.predicted[:, n]]
        return given[0] if len(given) == 1 else given

    return [
        {
            "clip_id": found.a.clip_ids[n],
            **({"split": found.a.folds[n]} if found.a.folds[n] else {}),
            "emotion": found.a.emotions[found.a.truth[n]],
            "a": answered(found.a, n),
            "b": answered(found.b, n),
        }
        for n in where
    ]


def _interval(low: float, high: float) -> str:
    return f"{number(low, signed=True)} to {number(high, signed=True)}"


def _p(p_value: float) -> str:
    text = p_text(p_value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def _short(name: str) -> str:
    return name if len(name) <= 90 else f"...{name[-87:]}"
