"""Step: the report of one reproduction: a closing table, figures, settings and provenance, in one folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrdfer.config import Profile
from nrdfer.stages.evaluate import PROTOCOLS, read_metrics

RESULTS = "results.json"
REPORT = "report.md"


def write_report(
    profile: Profile,
    folds: Mapping[str, Path],
    cross_validation: Path,
    afew: Path,
    digests: Mapping[str, str],
    out: Path,
) -> dict[str, Any]:
    """Write `RESULTS` and `REPORT` with the figures beside them; returns the results."""
    results = {
        "profile": profile.name,
        "rendered": profile.corpora.rendered,
        "folds": {fold: read_metrics(path) for fold, path in sorted(folds.items())},
        "cross_validation": read_metrics(cross_validation),
        "afew": read_metrics(afew),
        "artefacts": dict(sorted(digests.items())),
        "settings": profile.to_dict(),
    }
    (out / RESULTS).write_text(json.dumps(results, indent=1))
    for name in ("curves.png", "confusion_honest.png", "confusion_paper.png"):
        shutil.copyfile(cross_validation / name, out / f"dfew_{name}")
    shutil.copyfile(afew / "confusion_honest.png", out / "afew_confusion_honest.png")
    (out / REPORT).write_text(_markdown(results))
    return results


def closing_rows(results: Mapping[str, Any]) -> list[list[str]]:
    """The closing table: header row, then WAR and UAR (percent) of both protocols for folds, means and AFEW."""
    rows = [["", *(f"{metric} {protocol}" for protocol in PROTOCOLS for metric in ("WAR", "UAR"))]]

    def row(name: str, figures: Mapping[str, Mapping[str, float]], war: str, uar: str) -> None:
        cells = (f"{100 * figures[protocol][key]:.2f}" for protocol in PROTOCOLS for key in (war, uar))
        rows.append([name, *cells])

    for fold, metrics in results["folds"].items():
        row(f"DFEW {fold}", metrics, "war", "uar")
    row("DFEW mean of folds", results["cross_validation"], "war_mean", "uar_mean")
    row("DFEW pooled", results["cross_validation"], "war_pooled", "uar_pooled")
    row("AFEW validation", results["afew"], "war", "uar")
    return rows


def comparability(results: Mapping[str, Any]) -> str:
    """What may be compared with the paper."""
    if results["rendered"]:
        return (
            "These clips are rendered: nothing here is comparable to the paper's figures. They show that every "
            "stage works, and that the network learns emotions of identities it has never seen."
        )
    return (
        "The row 'paper' picks the best epoch on the test fold, as published figures do; 'honest' picks nothing. "
        "DFEW is evaluated on the clips whose faces are distributed (11,697 of 12,059)."
    )


def _markdown(results: Mapping[str, Any]) -> str:
    header, *body = closing_rows(results)
    lines = [
        f"# Results of profile {results['profile']}",
        "",
        comparability(results),
        "",
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(row) + " |" for row in body),
        "",
        "Percent. WAR is accuracy; UAR is the mean of the classes' recalls. `honest`: last epoch. `paper`: best epoch "
        "on the test fold.",
        "",
        "![curves](dfew_curves.png)",
        "![pooled confusion matrix](dfew_confusion_honest.png)",
        "",
        "## Artefacts",
        "",
        *(f"- `{name}` {digest}" for name, digest in results["artefacts"].items()),
        "",
    ]
    return "\n".join(lines)
