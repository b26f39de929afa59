"""The figures of one reproduction as plain data: the latest ones, the closing table, and their interpretation.

Keep out: the report's page, tables and pictures (``build``).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nrdfer.config.profile import Profile
from nrdfer.config.resolve import DEFAULT, profile_of_shell
from nrdfer.core import environment, paths
from nrdfer.core.errors import NrdferError, ProfileError, StoreError
from nrdfer.core.optional_output import reason
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.evaluation.checkpoints import PROTOCOLS, VALIDATED, read_metrics
from nrdfer.reporting.chance import Standing, against_chance
from nrdfer.store import Artifact, project_store
from nrdfer.store.pointers import Pointers, made_with

RESULTS = "results.json"
EVALUATIONS = {fold: DFEW.asset("evaluation", fold) for fold in DFEW.splits}
CROSS_VALIDATION, ON_AFEW = DFEW.asset("cross_validation"), AFEW.asset("evaluation")


@dataclass(frozen=True)
class Last:
    """The results to show of a profile."""

    figures: Mapping[str, Any]  # as `figures_of`
    report: Path | None  # folder of the report that shows them; None if none does
    note: str = ""  # reason if there is none


def figures_of(
    profile: Profile, folds: Mapping[str, Artifact], cross_validation: Artifact, afew: Artifact
) -> dict[str, Any]:
    """The metrics of all evaluations, for the closing table."""
    return {
        "profile": profile.name,
        "rendered": profile.corpora.rendered,
        "folds": {fold: read_metrics(artifact.path) for fold, artifact in sorted(folds.items())},
        "cross_validation": read_metrics(cross_validation.path),
        AFEW.name: read_metrics(afew.path),
    }


def last_results(name: str | None = None) -> Last:
    """The last results of a profile: its report's, or, if no report covers the newest evaluations, these themselves.

    Args:
        name: of the profile, instead of the shell's.

    Raises:
        NrdferError: nothing was evaluated yet, or what was is damaged.
    """
    profile, trouble = None, ""
    try:
        profile = profile_of_shell(name)
    except ProfileError as error:
        if name is None:
            raise
        trouble = str(error)  # the profile's file may have been removed since its report was written
    asked = name or (profile.name if profile else "")
    store = project_store()
    report, note = None, ""
    try:
        report = Pointers(store, paths.home() / "reports").get(asked)
        figures = None if report is None else read_results(report.path)
    except StoreError as error:
        figures, note = None, f"its report cannot be read: {reason(error)}"
    newest = None if profile is None else _evaluations(profile)
    if figures is not None and report is not None and not _outdated(figures, newest, profile):
        return Last(figures, report.path)
    if newest is not None and profile is not None:
        folds, cross_validation, afew = newest
        note = note or (
            "its report is older than these figures" if figures is not None else "no report was made of them"
        )
        return Last(figures_of(profile, folds, cross_validation, afew), None, note)
    why = f" ({trouble or note})" if trouble or note else ""
    option = "" if asked == environment.text("NRDFER_PROFILE", DEFAULT) else f" --profile {shlex.quote(asked)}"
    raise NrdferError(f"no results of profile {asked!r} yet{why}; run: nrdfer reproduce{option}")


def read_results(report: Path) -> dict[str, Any]:
    """The figures with which a report was written.

    Raises:
        StoreError: the file is missing or damaged.
    """
    path = report / RESULTS
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        closing_rows(figures)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"{path} is damaged ({reason(error)}); delete its folder and run the job again, which then only writes the "
            "report"
        ) from None
    return dict(figures)


def _evaluations(profile: Profile) -> tuple[dict[str, Artifact], Artifact, Artifact] | None:
    """The last evaluations with a profile; None if they are incomplete."""
    made = made_with(profile)
    try:
        folds = {fold: made.get(asset) for fold, asset in EVALUATIONS.items()}
        cross_validation, afew = made.get(CROSS_VALIDATION), made.get(ON_AFEW)
    except StoreError:
        return None
    there = {fold: artifact for fold, artifact in folds.items() if artifact is not None}
    if len(there) < len(folds) or cross_validation is None or afew is None:
        return None
    return there, cross_validation, afew


def _outdated(
    figures: Mapping[str, Any], newest: tuple[dict[str, Artifact], Artifact, Artifact] | None, profile: Profile | None
) -> bool:
    """Whether there are newer evaluations with exactly the settings of a report."""
    if newest is None or profile is None or figures.get("settings") != json.loads(json.dumps(profile.to_dict())):
        return False
    folds, cross_validation, afew = newest
    digests = {EVALUATIONS[fold]: artifact.digest for fold, artifact in folds.items()}
    digests |= {CROSS_VALIDATION: cross_validation.digest, ON_AFEW: afew.digest}
    artefacts = figures.get("artefacts", {})
    return any(artefacts.get(asset) != digest for asset, digest in digests.items())


def closing_rows(results: Mapping[str, Any]) -> list[list[str]]:
    """The closing table: header row, then WAR and UAR (percent) of each protocol for folds, means and AFEW."""
    each = (*results["folds"].values(), results["cross_validation"], results[AFEW.name])
    protocols = (*PROTOCOLS, *([VALIDATED] if all(VALIDATED in figures for figures in each) else ()))
    rows = [["", *(f"{metric} {protocol}" for protocol in protocols for metric in ("WAR", "UAR"))]]

    def row(name: str, figures: Mapping[str, Mapping[str, float]], war: str, uar: str) -> None:
        cells = (f"{100 * figures[protocol][key]:.2f}" for protocol in protocols for key in (war, uar))
        rows.append([name, *cells])

    for fold, metrics in results["folds"].items():
        row(f"{DFEW.title} {fold}", metrics, "war", "uar")
    row(f"{DFEW.title} mean of folds", results["cross_validation"], "war_mean", "uar_mean")
    row(f"{DFEW.title} pooled", results["cross_validation"], "war_pooled", "uar_pooled")
    row(f"{AFEW.title} validation", results[AFEW.name], "war", "uar")
    return rows


def comparability(results: Mapping[str, Any]) -> str:
    """Note on what may be compared with the paper, and, for rendered clips, on what the figures show."""
    if results["rendered"]:
        return (
            "These clips are rendered: nothing here is comparable to the paper's figures. They show that every "
            f"stage works. {_what_was_learned(results)}"
        )
    return (
        "The row 'paper' picks the best epoch on the test fold, as published figures do; 'honest' picks nothing. "
        "DFEW is evaluated on the clips whose faces are distributed (11,697 of 12,059)."
    )


def _what_was_learned(results: Mapping[str, Any]) -> str:
    """Comparison of the pooled test clips of all folds with chance, as far as their interval allows."""
    found = against_chance(np.array(results["cross_validation"]["honest"]["confusion"]))
    figures = (
        f"Of all DFEW's test clips, honest protocol, UAR is {found.uar:.1f} % (95 % {found.low:.1f} to "
        f"{found.high:.1f}); chance is {found.chance:.1f} %"
    )
    return {
        Standing.ABOVE: f"{figures}: the network has learned emotions of identities it has never seen.",
        Standing.LIKE: f"{figures}: these figures do not show that the network has learned emotions.",
        Standing.BELOW: f"{figures}: the network does worse than guessing.",
    }[found.standing]
