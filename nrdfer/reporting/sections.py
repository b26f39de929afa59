"""Sections of the report in order, with their tables, pictures and facts.

The page's layout belongs to ``page``, drawing to ``figures``, finding the results to ``collect``.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from nrdfer.config.settings import flatten
from nrdfer.core.optional_output import Missing, attempt, draw
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.corpora.registry import recipe_of
from nrdfer.evaluation.result_table import ResultTable
from nrdfer.experiments.catalogue import OURS
from nrdfer.experiments.published import published
from nrdfer.models.registry import title_of
from nrdfer.models.saved_model import read_history
from nrdfer.reporting import captioned_figures, captions, network_sections, trust
from nrdfer.reporting.card import card_of, card_table
from nrdfer.reporting.comparisons import comparisons_section
from nrdfer.reporting.noise_section import noise_section
from nrdfer.reporting.page import Picture, Section
from nrdfer.reporting.results import absent_parts, figures_of
from nrdfer.reporting.summary import summary_tables

if TYPE_CHECKING:
    from nrdfer.reporting.collect import Findings

_LIBRARIES = ("torch", "numpy", "pandas", "dagster", "mlflow", "webdataset", "scikit-learn")
CURVES = "curves.png"
_PROTOCOLS = (
    "Two protocols, always both named: `honest` evaluates the last epoch, and nothing is chosen on test clips; `paper` "
    "picks the best epoch on the test fold, as published figures of this field do. WAR is accuracy, UAR the mean of "
    "the emotions' recalls. Intervals are 95 % bootstrap intervals over test clips; they say nothing of another "
    "training."
)


def sections(found: Findings, folder: Path, made_by: Mapping[str, str]) -> list[Section]:
    """All sections; pictures are drawn into `folder`. A picture or section that fails leaves the words of why."""
    folds = {fold: artifact.path for fold, artifact in sorted(found.folds.items())}
    made: Mapping[str, Callable[[], Section]] = {
        "results": lambda: _results(found, folds, folder),
        "tables": lambda: _tables(found, folder),
        "comparisons": lambda: comparisons_section(
            found.pairs,
            [filled.table for filled in found.tables],
            found.profile.seeds,
            comparable=not found.profile.corpora.rendered,
        ),
        "calibration": lambda: trust.calibration_section(
            folds, None if found.afew is None else found.afew.path, folder
        ),
        "leaks": lambda: trust.leaks_section(
            found.leaks, {name: artifact.path for name, artifact in found.evaluations.items()}
        ),
        "filter": lambda: _filter(folds, found, folder),
        **(
            {
                "attention": lambda: network_sections.attention_section(found, folds, folder),
                "features": lambda: network_sections.features_section(found, folds, folder),
            }
            if folds
            else {}
        ),
        "noise": lambda: noise_section(found),
        "settings": lambda: _settings(found),
        "provenance": lambda: _provenance(found, made_by),
    }
    return [_section(anchor, make) for anchor, make in made.items()]


def _section(anchor: str, make: Callable[[], Section]) -> Section:
    made = attempt(f"The section {anchor}", make)
    return made if isinstance(made, Section) else Section(anchor, anchor.capitalize(), "", pictures=(made,))


def _results(found: Findings, folds: Mapping[str, Path], folder: Path) -> Section:
    whole = len(folds) == len(DFEW.splits)
    compared = found.profile.model == OURS and not found.profile.corpora.rendered and whole
    of_folds, on_afew = _of_folds(folds), None if found.afew is None else found.afew.path
    whole_curves = None if found.cross_validation is None else found.cross_validation.path
    printed = published("5")["NR-DFERNet DS"] if compared else None
    figures = figures_of(found.profile, found.folds, found.cross_validation, found.afew)
    pictures: list[Picture | Missing] = []
    if folds:
        pictures.append(captioned_figures.recall_picture(folds, DFEW.name, of_folds, printed, folder))
    if on_afew:
        pictures.append(captioned_figures.recall_picture({AFEW.name: on_afew}, AFEW.name, AFEW.title, None, folder))
    if whole_curves:
        pictures.append(
            draw("The training curves", folder / CURVES, lambda: _curves(whole_curves, folds, folder / CURVES))
        )
    return Section(
        "results",
        "Results",
        _PROTOCOLS,
        tables=(
            *summary_tables(found.profile.model, folds, on_afew, from_scratch=AFEW.name in found.profile.initial),
            card_table(card_of(figures, found.evaluations, found.profile.model)),
        ),
        pictures=tuple(pictures),
        open=_what_is_open(absent_parts(folds, on_afew), AFEW.name in found.profile.initial),
    )


def _what_is_open(absent: str, from_scratch: bool) -> str:
    """What the results lack, or have otherwise than the paper."""
    missing = f"Not evaluated with this profile: {absent}. `nrdfer run` runs the rest, and repeats nothing."
    other = f"{AFEW.title}'s network was trained from scratch; the paper's starts from {DFEW.title}'s first fold."
    return " ".join([*([missing] if absent else []), *([other] if from_scratch else [])])


def _of_folds(folds: Mapping[str, Path]) -> str:
    """The folds in words, for titles."""
    return f"{DFEW.title}'s five folds" if len(folds) == len(DFEW.splits) else f"{DFEW.title} {', '.join(folds)}"


def _curves(cross_validation: Path, folds: Mapping[str, Path], out: Path) -> Picture:
    shutil.copyfile(cross_validation / CURVES, out)
    return Picture(
        out,
        "Training curves",
        captions.curves([read_history(folder) for folder in folds.values()]),
        "Curves of loss and WAR by epoch, one per fold.",
    )


def _tables(found: Findings, folder: Path) -> Section:
    drawn = (_thresholds(filled.table, folder / f"{filled.table.name}.png") for filled in found.tables)
    return Section(
        "tables",
        "The paper's tables",
        "A row that was not run is marked; the command below its table runs it. Commands with `backfill` need "
        "an activated shell, and `nrdfer dev` in another one. What was trained before, by any command, is not trained "
        "again.",
        tables=tuple(filled.table for filled in found.tables),
        pictures=(*(picture for picture in drawn if picture is not None), *found.gaps),
    )


def _thresholds(table: ResultTable, path: Path) -> Picture | Missing | None:
    """The thresholds' map; None for other tables."""
    from nrdfer.reporting.table_artifacts import draw_thresholds

    title = "WAR and UAR over both thresholds of the filter"
    made = draw(f"The picture {title!r}", path, lambda: draw_thresholds(table, path))
    if not isinstance(made, Path):
        return made
    return Picture(
        path,
        title,
        captions.thresholds(table),
        "Two maps of WAR and UAR over mu1 and mu2.",
    )


def _filter(folds: Mapping[str, Path], found: Findings, folder: Path) -> Section:
    pictures: list[Picture | Missing] = []
    for evaluations, name, what in (
        (folds, DFEW.name, _of_folds(folds)),
        ({} if found.afew is None else {AFEW.name: found.afew.path}, AFEW.name, AFEW.title),
    ):
        if evaluations and name == DFEW.name:
            pictures.append(captioned_figures.gain_picture(folds, folder))
        if evaluations:
            confusion = captioned_figures.confusion_picture(evaluations, name, f"{what}, honest protocol", folder)
            pictures.append(confusion)
    return Section(
        "filter",
        "What the snippet-based filter does",
        "The paper's Figure 4, and the confusion matrices of its supplement.",
        pictures=tuple(pictures),
    )


def _settings(found: Findings) -> Section:
    from nrdfer.reporting.recipe_words import network_in_words, recipe_in_words
    from nrdfer.training.resolved_settings import resolved_settings

    profile = found.profile
    resolved = resolved_settings(profile, network=True)
    values = flatten(resolved)
    return Section(
        "settings",
        "Settings",
        "What was trained how, in short; then every value of the profile, its defaults written out.",
        facts=(
            ("network", network_in_words(title_of(profile.model), resolved["model_settings"])),
            *(
                (f"training on {corpus.title}", recipe_in_words(recipe_of(profile, corpus.name)))
                for corpus in (DFEW, AFEW)
            ),
            *((name, "none" if value in (None, "", {}) else str(value)) for name, value in values.items()),
        ),
    )


def _provenance(found: Findings, made_by: Mapping[str, str]) -> Section:
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return Section(
        "provenance",
        "Provenance",
        "Every artefact by its digest: it is in the store under this name, with a manifest of all its files.",
        facts=(
            *made_by.items(),
            ("nrdfer", version("nrdfer")),
            ("Python", platform.python_version()),
            ("libraries", libraries),
            ("machine", f"{platform.machine()}, {platform.system()}"),
            *((name, digest) for name, digest in sorted(found.inputs.items())),
        ),
    )
