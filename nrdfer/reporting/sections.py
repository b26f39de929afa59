"""Sections of the report in order, with their tables, pictures and facts.

The page's layout belongs to ``page``, drawing to ``figures``, finding the results to ``collect``.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from nrdfer.config.settings import flatten
from nrdfer.core.optional_output import Missing, attempt, draw, not_there
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.evaluation.result_table import ResultTable
from nrdfer.experiments.catalogue import OURS, TABLE_1
from nrdfer.experiments.fill import line_of
from nrdfer.experiments.published import published
from nrdfer.noise.plots import ATTENTION_PICTURE, CONTRASTS_PICTURE, FILTER_PICTURE, WAR_PICTURE
from nrdfer.noise.report import JSON as NOISE_JSON
from nrdfer.reporting import captioned_figures
from nrdfer.reporting.figures.planted_noise import Noise, read_planted_noise
from nrdfer.reporting.page import Picture, Section
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
_WHILE_DEV = "While `nrdfer dev` runs in another shell, this command, in an activated shell, trains what is missing:"


def sections(found: Findings, folder: Path, made_by: Mapping[str, str]) -> list[Section]:
    """All sections; pictures are drawn into `folder`. A picture or section that fails leaves the words of why."""
    folds = {fold: artifact.path for fold, artifact in sorted(found.folds.items())}
    made: Mapping[str, Callable[[], Section]] = {
        "results": lambda: _results(found, folds, folder),
        "tables": lambda: _tables(found, folder),
        "filter": lambda: _filter(folds, found, folder),
        "attention": lambda: _attention(found, folds, folder),
        "features": lambda: _features(found, folds, folder),
        "noise": lambda: _noise(found),
        "settings": lambda: _settings(found),
        "provenance": lambda: _provenance(found, made_by),
    }
    return [_section(anchor, make) for anchor, make in made.items()]


def _section(anchor: str, make: Callable[[], Section]) -> Section:
    made = attempt(f"The section {anchor}", make)
    return made if isinstance(made, Section) else Section(anchor, anchor.capitalize(), "", pictures=(made,))


def _results(found: Findings, folds: Mapping[str, Path], folder: Path) -> Section:
    compared = found.profile.model == OURS and not found.profile.corpora.rendered
    printed = published("5")["NR-DFERNet DS"] if compared else None
    return Section(
        "results",
        "Results",
        _PROTOCOLS,
        tables=summary_tables(found.profile.model, folds, found.afew.path),
        pictures=(
            captioned_figures.recall_picture(folds, DFEW.name, f"{DFEW.title}'s five folds", printed, folder),
            captioned_figures.recall_picture({AFEW.name: found.afew.path}, AFEW.name, AFEW.title, None, folder),
            draw("The training curves", folder / CURVES, lambda: _curves(found.cross_validation.path, folder / CURVES)),
        ),
    )


def _curves(cross_validation: Path, out: Path) -> Picture:
    shutil.copyfile(cross_validation / CURVES, out)
    return Picture(
        out,
        "Training curves",
        "Training loss, and WAR on the test clips after the filter, epoch by epoch.",
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
        "Pooled, honest protocol; the box is the paper's default.",
        "Two maps of WAR and UAR over mu1 and mu2.",
    )


def _filter(folds: Mapping[str, Path], found: Findings, folder: Path) -> Section:
    return Section(
        "filter",
        "What the snippet-based filter does",
        "The paper's Figure 4, and the confusion matrices of its supplement.",
        pictures=(
            captioned_figures.gain_picture(folds, folder),
            captioned_figures.confusion_picture(
                folds, DFEW.name, f"{DFEW.title}'s five folds, honest protocol", folder
            ),
            captioned_figures.confusion_picture(
                {AFEW.name: found.afew.path}, AFEW.name, f"{AFEW.title}, honest protocol", folder
            ),
        ),
    )


def _attention(found: Findings, folds: Mapping[str, Path], folder: Path) -> Section:
    from nrdfer.preprocessing.corpus_listing import corpus_root

    def noise() -> Noise:
        return read_planted_noise(corpus_root(found.profile, DFEW)) if found.profile.corpora.rendered else {}

    first = next(iter(folds))
    other = None if found.learned_token is None else found.learned_token.path
    picture = captioned_figures.attention_picture(folds[first], other, found.dfew_shards.path, noise, folder)
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
        pictures=() if picture is None else (picture,),
        open=missing,
    )


def _features(found: Findings, folds: Mapping[str, Path], folder: Path) -> Section:
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


def _noise(found: Findings) -> Section:
    title, lead = "Robustness against noise", "What the paper shows in pictures, measured on frames known to be noise."
    if found.noise is None:
        line = "nrdfer run noise_benchmark"
        return Section("noise", title, lead, open=f"Not run yet. This command measures it:\n\n    {line}")
    folder = found.noise.path
    measured = json.loads((folder / NOISE_JSON).read_text())
    return Section(
        "noise",
        title,
        f"{lead} Preset {measured['settings']['preset']} of `nrdfer/config/noise.py`, which has its own rendered "
        "clips, whatever the profile's corpora are.",
        pictures=tuple(
            Picture(folder / name, *words) if (folder / name).is_file() else not_there(words[0], folder / name)
            for name, words in _NOISE_PICTURES.items()
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


_NOISE_PICTURES = {
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


def _settings(found: Findings) -> Section:
    values = flatten(found.profile.to_dict())
    facts = tuple((name, "none" if value in (None, "", {}) else str(value)) for name, value in values.items())
    return Section("settings", "Settings", "The resolved profile; what it leaves out has its default.", facts=facts)


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
