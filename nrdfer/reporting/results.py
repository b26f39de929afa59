"""The figures of one reproduction as plain data: the latest ones, the closing table, and their interpretation.

Keep out: the report's page, tables and pictures (``build``).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nrdfer.config.profile import Profile
from nrdfer.config.resolve import profile_of_shell, profile_option
from nrdfer.core import paths
from nrdfer.core.errors import NrdferError, ProfileError, StoreError
from nrdfer.core.optional_output import reason
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.evaluation.checkpoints import PROTOCOLS, VALIDATED, read_metrics
from nrdfer.reporting.chance import Standing, against_chance
from nrdfer.store import Artifact, Store, project_store
from nrdfer.store.pointers import Pointers, made_with

RESULTS = "results.json"
EVALUATIONS = {fold: DFEW.asset("evaluation", fold) for fold in DFEW.splits}
FROM_SCRATCH = (
    "afew_from_scratch"  # in the figures, where AFEW's training did not start from DFEW's, as the paper's does
)
CROSS_VALIDATION, ON_AFEW = DFEW.asset("cross_validation"), AFEW.asset("evaluation")


@dataclass(frozen=True)
class Last:
    """The results to show of a profile."""

    figures: Mapping[str, Any]  # as `figures_of`
    report: Path | None  # folder of the report that shows them; None if none does
    note: str = ""  # reason if there is none
    artefacts: Mapping[str, str] = field(default_factory=dict)  # asset -> digest of what is shown


def figures_of(
    profile: Profile, folds: Mapping[str, Artifact], cross_validation: Artifact | None, afew: Artifact | None
) -> dict[str, Any]:
    """The metrics of all evaluations, for the closing table; what was not evaluated has no entry."""
    return {
        "profile": profile.name,
        "rendered": profile.corpora.rendered,
        "folds": {fold: read_metrics(artifact.path) for fold, artifact in sorted(folds.items())},
        **({} if cross_validation is None else {"cross_validation": read_metrics(cross_validation.path)}),
        **({} if afew is None else {AFEW.name: read_metrics(afew.path)}),
        **({FROM_SCRATCH: True} if afew is not None and AFEW.name in profile.initial else {}),
    }


def absent_parts(folds: Collection[str], afew: object | None) -> str:
    """What of both corpora was not evaluated, in words; empty if all was."""
    missing = [fold for fold in DFEW.splits if fold not in folds]
    dfew = [DFEW.title if not folds else f"{DFEW.title} {', '.join(missing)}"] if missing else []
    return " and ".join([*dfew, *([AFEW.title] if afew is None else [])])


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
        return Last(figures, report.path, artefacts=figures.get("artefacts", {}))
    if newest is not None and profile is not None:
        note = note or (
            "its report is older than these figures" if figures is not None else "no report was made of them"
        )
        latest = figures_of(profile, newest.folds, newest.cross_validation, newest.afew)
        return Last({"settings": profile.to_dict(), **latest}, None, note, newest.digests())
    why = f" ({trouble or note})" if trouble or note else ""
    raise NrdferError(f"no results of profile {asked!r} yet{why}; run: nrdfer reproduce{profile_option(asked)}")


def evaluations_behind(found: Last, store: Store) -> dict[str, Artifact]:
    """The evaluations whose figures are shown, of each fold and of AFEW, as far as they are in the store.

    Args:
        found: of `last_results`.
        store: of the artefacts.
    """
    assets = {**EVALUATIONS, AFEW.name: ON_AFEW}
    there = {}
    for name, asset in assets.items():
        digest = found.artefacts.get(asset, "")
        with contextlib.suppress(StoreError):
            there[name] = store.open(asset, digest, verify="sizes")
    return there


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


@dataclass(frozen=True)
class _Evaluations:
    """The last evaluations with a profile, as far as there are."""

    folds: Mapping[str, Artifact]
    cross_validation: Artifact | None
    afew: Artifact | None

    def digests(self) -> dict[str, str]:
        """Their digests, by asset."""
        found = {EVALUATIONS[fold]: artifact for fold, artifact in self.folds.items()}
        others = {CROSS_VALIDATION: self.cross_validation, ON_AFEW: self.afew}
        found |= {asset: artifact for asset, artifact in others.items() if artifact is not None}
        return {asset: artifact.digest for asset, artifact in found.items()}


def _evaluations(profile: Profile) -> _Evaluations | None:
    """The last evaluations with a profile; None if there are none, or one is damaged."""
    made = made_with(profile)
    try:
        folds = {fold: made.get(asset) for fold, asset in EVALUATIONS.items()}
        cross_validation, afew = made.get(CROSS_VALIDATION), made.get(ON_AFEW)
    except StoreError:
        return None
    there = {fold: artifact for fold, artifact in folds.items() if artifact is not None}
    if not there and afew is None:
        return None
    return _Evaluations(there, cross_validation if len(there) == len(folds) else None, afew)


def _outdated(figures: Mapping[str, Any], newest: _Evaluations | None, profile: Profile | None) -> bool:
    """Whether there are newer evaluations with exactly the settings of a report."""
    if newest is None or profile is None or figures.get("settings") != json.loads(json.dumps(profile.to_dict())):
        return False
    artefacts = figures.get("artefacts", {})
    return any(artefacts.get(asset) != digest for asset, digest in newest.digests().items())


def closing_rows(results: Mapping[str, Any]) -> list[list[str]]:
    """The closing table: header row, then WAR and UAR (percent) of each protocol for folds, means and AFEW.

    What was not evaluated has no row.
    """
    each = (*results["folds"].values(), *(results[name] for name in ("cross_validation", AFEW.name) if name in results))
    protocols = (*PROTOCOLS, *([VALIDATED] if all(VALIDATED in figures for figures in each) else ()))
    rows = [["", *(f"{metric} {protocol}" for protocol in protocols for metric in ("WAR", "UAR"))]]

    def row(name: str, figures: Mapping[str, Mapping[str, float]], war: str, uar: str) -> None:
        cells = (f"{100 * figures[protocol][key]:.2f}" for protocol in protocols for key in (war, uar))
        rows.append([name, *cells])

    for fold, metrics in results["folds"].items():
        row(f"{DFEW.title} {fold}", metrics, "war", "uar")
    if "cross_validation" in results:
        row(f"{DFEW.title} mean of folds", results["cross_validation"], "war_mean", "uar_mean")
        row(f"{DFEW.title} pooled", results["cross_validation"], "war_pooled", "uar_pooled")
    if AFEW.name in results:
        begun = ", from scratch" if results.get(FROM_SCRATCH) else ""
        row(f"{AFEW.title} validation{begun}", results[AFEW.name], "war", "uar")
    return rows


def comparability(results: Mapping[str, Any]) -> str:
    """Note on what may be compared with the paper, what is missing, and, for rendered clips, what the figures show."""
    absent = absent_parts(results["folds"], results.get(AFEW.name))
    missing = f"Not evaluated: {absent}. " if absent else ""
    if results["rendered"]:
        return (
            f"{missing}These clips are rendered: nothing here is comparable to the paper's figures. They show that "
            f"every stage works. {_what_was_learned(results)}"
        )
    return (
        f"{missing}The row 'paper' picks the best epoch on the test fold, as published figures do; 'honest' picks "
        "nothing."
        + (
            " DFEW is evaluated on the clips whose faces are distributed (11,697 of 12,059)."
            if results["folds"]
            else ""
        )
    )


def _what_was_learned(results: Mapping[str, Any]) -> str:
    """Comparison of the pooled test clips of all folds with chance, as far as their interval allows."""
    if "cross_validation" in results:
        tested, metrics = "all DFEW's test clips", [results["cross_validation"]]
    elif results["folds"]:
        tested, metrics = f"the test clips of {', '.join(results['folds'])}", list(results["folds"].values())
    else:
        tested, metrics = "AFEW's validation clips", [results[AFEW.name]]
    found = against_chance(np.sum([each["honest"]["confusion"] for each in metrics], axis=0))
    figures = (
        f"Of {tested}, honest protocol, UAR is {found.uar:.1f} % (95 % {found.low:.1f} to "
        f"{found.high:.1f}); chance is {found.chance:.1f} %"
    )
    return {
        Standing.ABOVE: f"{figures}: the network has learned emotions of identities it has never seen.",
        Standing.LIKE: f"{figures}: these figures do not show that the network has learned emotions.",
        Standing.BELOW: f"{figures}: the network does worse than guessing.",
    }[found.standing]
