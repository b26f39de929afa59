"""The benchmark's files: figures as JSON and CSV, tables and verdicts as Markdown, pictures.

What is found belongs to ``findings``, how it is drawn to ``plots``.
"""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nrdfer.config.noise import COMPONENTS, N1, N2, NoiseSettings
from nrdfer.core.csv_cells import cell
from nrdfer.core.markdown_text import table
from nrdfer.noise.findings import MASS, NEUTRAL, RATIO, WAR, Curve, Findings, Verdict, counts
from nrdfer.noise.intervals import Estimate
from nrdfer.noise.measure import LETTERS, settings_of
from nrdfer.noise.plots import KINDS, NAMES, draw_all

JSON, CSV, MARKDOWN = "noise.json", "noise.csv", "noise.md"


def write_findings(found: Findings, settings: NoiseSettings, out: Path) -> dict[str, Any]:
    """Write everything into `out`; returns the outcomes of the claims."""
    findings = {
        "settings": dataclasses.asdict(settings),
        "curves": [dataclasses.asdict(curve) for curve in found.curves],
        "by_kind": [dataclasses.asdict(one) for one in found.by_kind],
        "verdicts": [dataclasses.asdict(verdict) for verdict in found.verdicts],
    }
    (out / JSON).write_text(json.dumps(findings, indent=1))
    with (out / CSV).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["measure", "setting", "noise", "level", "value", "low", "high"])
        for curve in found.curves:
            for level, point in zip(curve.levels, curve.points, strict=True):
                writer.writerow(
                    [curve.measure, cell(curve.setting), curve.kind, level, point.value, point.low, point.high]
                )
        for one in found.by_kind:
            ratio = one.ratio
            writer.writerow([RATIO, cell(one.network), one.kind, "all", ratio.value, ratio.low, ratio.high])
    (out / MARKDOWN).write_text(markdown(found, settings))
    draw_all(found, settings, out)
    return dict(counts(found.verdicts))


def markdown(found: Findings, settings: NoiseSettings) -> str:
    """Verdicts and the tables behind them."""
    every = settings_of(settings)
    ratios = [found.find(RATIO, name, N1) for name in COMPONENTS]
    mass = [found.find(MASS, name, N1) for name in COMPONENTS]
    parts = [
        f"{settings.seeds} trainings of each network on {7 * settings.training_people} clips, tested on "
        f"{7 * settings.test_people} clips of {settings.test_people} other people in every condition; 95 % intervals.",
        _verdicts(found.verdicts),
        "**WAR over N1** (frames without the target's face), %",
        _table([found.find(WAR, s, N1) for s in every], [_name(s) for s in every]),
        "**WAR over N2** (neutral frames in clips of other emotions), %",
        _table([found.find(WAR, s, N2) for s in every], [_name(s) for s in every]),
        "**Attention on N1 frames as a multiple of their share**, by kind (1: like any other frame)",
        _by_kind(found),
        "**The same, all kinds together, by level**",
        _table(ratios, [_token(c.setting) for c in ratios]),
        "**Attention on N1 frames**, %",
        _table(mass, [_token(c.setting) for c in mass]),
        "**Non-neutral clips that are called neutral, over N2**, %",
        _table([found.find(NEUTRAL, s, N2) for s in LETTERS], [_name(s) for s in LETTERS]),
    ]
    return "\n\n".join(parts) + "\n"


def _by_kind(found: Findings) -> str:
    ratios = {(one.network, one.kind): _formatted(one.ratio, 2) for one in found.by_kind}
    return table(["", *KINDS.values()], ([_token(name), *(ratios[name, k] for k in KINDS)] for name in COMPONENTS))


def verdict_rows(verdicts: Sequence[Verdict]) -> list[list[str]]:
    """Claim, verdict, measure, and the number with its interval."""
    return [[v.claim, v.verdict, v.measured, _formatted(v.estimate, 2)] for v in verdicts]


def _verdicts(verdicts: tuple[Verdict, ...]) -> str:
    rows = ([c, f"**{v}**", m, n] for c, v, m, n in verdict_rows(verdicts))
    return table(["claim", "verdict", "measured", "value (95 %)"], rows)


def _table(curves: Sequence[Curve], names: Sequence[str]) -> str:
    digits = 2 if curves[0].measure == RATIO else 1
    rows = ([n, *(_formatted(point, digits) for point in c.points)] for c, n in zip(curves, names, strict=True))
    return table(["", *(f"{100 * level:.0f} %" for level in curves[0].levels)], rows)


def _formatted(found: Estimate, digits: int) -> str:
    return f"{found.value:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"


def _name(setting: str) -> str:
    if setting not in LETTERS:
        return setting
    network, filtered = LETTERS[setting]
    return f"{setting}: {NAMES[network]}{' + SF' if filtered else ''}"


def _token(network: str) -> str:
    return f"{NAMES[network]}: {'dynamic' if COMPONENTS[network][1] else 'learned'} token"
