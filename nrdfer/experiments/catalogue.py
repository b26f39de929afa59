"""The catalogue: every experiment behind the paper's tables by name, and which row of which table it fills.

An experiment is a training, repeated on every split of its table. A row is an experiment and a way of reading its
predictions: with and without the snippet-based filter, and all settings of the filter, are readings of one training.
How an experiment becomes a profile belongs to ``profiles``; published figures to ``nrdfer.experiments.published``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.evaluation.filter_settings import MU1, MU2, Reading
from nrdfer.models.names import TITLES

FOLDS = DFEW.splits
OURS = "nr-dfernet"
TI: Mapping[str, Any] = {"sampling": {"strategy": "ti"}}
DS: Mapping[str, Any] = {"sampling": {"strategy": "ds"}}


@dataclass(frozen=True)
class Experiment:
    """One training run, repeated on every split; laid over the profile's own settings."""

    name: str  # also its partition in Dagster
    model: str = OURS  # of the registry
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the network
    recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RowSpec:
    """One row of a table."""

    label: str  # as `nrdfer.experiments.published` names it
    cells: Mapping[str, str]  # descriptive columns
    experiment: str = ""  # empty: from the literature, nothing is trained
    reading: Reading = field(default_factory=Reading)
    note: str = ""


@dataclass(frozen=True)
class TableSpec:
    """One table of the paper, or of its supplement."""

    name: str  # also of its job
    number: str  # in the paper; empty if its figures are not published there
    title: str
    note: str
    splits: tuple[str, ...]  # of nrdfer.preprocessing.folds
    experiments: tuple[Experiment, ...]
    rows: tuple[RowSpec, ...]
    costs: bool = False  # whether it has a column GMACs
    recalls: bool = False  # whether it has a column for each emotion

    def experiment(self, name: str) -> Experiment:
        """An experiment by name.

        Raises:
            KeyError: there is none of that name.
        """
        for experiment in self.experiments:
            if experiment.name == name:
                return experiment
        raise KeyError(f"{self.name} has no experiment {name!r}; it has {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the experiments."""
        return tuple(experiment.name for experiment in self.experiments)


def _tick(present: bool) -> str:
    return "yes" if present else ""


def _component(letter: str, dsf: bool, dct: bool, sf: bool) -> RowSpec:
    cells = {"DSF": _tick(dsf), "DCT": _tick(dct), "SF": _tick(sf)}
    return RowSpec(letter, cells, _COMPONENTS[dsf, dct].name, Reading(sf=sf))


_COMPONENTS = {
    (dsf, dct): Experiment(name, settings={"dsf": dsf, "dct": dct, "sf": True})
    for (dsf, dct), name in {
        (False, False): "baseline",
        (False, True): "dct",
        (True, False): "dsf",
        (True, True): "dsf-dct",
    }.items()
}

TABLE_1 = TableSpec(
    "table_1",
    "1",
    "Evaluation of each component",
    "Four networks are trained; each is read without the filter and with it. Which letter has which component is "
    "inferred from the pairs that the paper's text names: (a, e), (b, f), (d, h) differ by DSF, (e, g) by DCT. Under "
    "the paper protocol, both readings use the epoch that was best with the filter.",
    FOLDS,
    tuple(_COMPONENTS.values()),
    (
        _component("a", False, False, False),
        _component("b", False, False, True),
        _component("c", False, True, False),
        _component("d", False, True, True),
        _component("e", True, False, False),
        _component("f", True, False, True),
        _component("g", True, True, False),
        _component("h", True, True, True),
    ),
)

_MAIN = Experiment(OURS, settings={"dsf": True, "dct": True, "sf": True})


def _snippets(length: int, width: int, stride: int) -> str:
    """N_s in a sequence of that length (equation 6)."""
    return str((length - width) // stride + 1)


TABLE_2 = TableSpec(
    "table_2",
    "2",
    "Stride S and window width L of the snippet-based filter",
    "No training of its own: the stored logits of all snippets are read with other windows. Snippets: how many there "
    "are in the 15 features of 16 frames, as in the author's code, which gives the published costs. Equation 6 counts "
    "frames; its number is in the column beside.",
    FOLDS,
    (_MAIN,),
    tuple(
        RowSpec(
            f"S{s} L{w}",
            {"S": str(s), "L": str(w), "snippets": _snippets(15, w, s), "by equation 6": _snippets(16, w, s)},
            OURS,
            Reading(width=w, stride=s),
        )
        for w in (3, 6)
        for s in (1, 2, 3)
    ),
)

_DEPTHS = ((1, 4), (2, 4), (3, 4), (1, 6), (2, 6), (3, 6))

TABLE_3 = TableSpec(
    "table_3",
    "3",
    "Number of transformer encoders: M at the spatial stage, N at the temporal stage",
    "GMACs: counted as the published figures were (snippets included, encoder layers twice).",
    FOLDS,
    tuple(
        Experiment(f"m{m}-n{n}", settings={**_MAIN.settings, "spatial_depth": m, "temporal_depth": n})
        for m, n in _DEPTHS
    ),
    tuple(RowSpec(f"M{m} N{n}", {"M": str(m), "N": str(n)}, f"m{m}-n{n}") for m, n in _DEPTHS),
    costs=True,
)


def _rival(model: str, strategy: Mapping[str, Any], name: str = "") -> Experiment:
    suffix = strategy["sampling"]["strategy"]
    settings = _MAIN.settings if model == OURS else {}
    return Experiment(name or f"{model}-{suffix}", model, settings, strategy)


_ON_AFEW = ("c3d", "i3d-rgb", "r2plus1d-18", "r3d-18", "resnet18-lstm", "resnet18-gru", "ec-stfl", "former-dfer", OURS)
#: The paper prints one network under two names.
_AFEW_LABELS = {"r2plus1d-18": "R(2+1)D"}

TABLE_4 = TableSpec(
    "table_4",
    "4",
    "Comparison on AFEW's validation split",
    "Every network learns DFEW's fold 1 first and is then fine-tuned, as in the paper, which does not say from which "
    "epoch: here from the last one, under both protocols, so that the paper protocol chooses only the epoch of the "
    "fine-tuning on test clips. A row is marked as a reproduction where network and recipe are those of the authors of "
    "its figures; the others compare networks under one recipe. GMACs: counted as published figures were.",
    AFEW.splits,
    tuple(_rival(model, DS) for model in _ON_AFEW),
    (
        RowSpec("EmotiW-2019 baseline", {"Method": "EmotiW-2019 baseline", "Sampling": "n/a"}, note="as published"),
        *(
            RowSpec(
                f"{_AFEW_LABELS.get(model, TITLES[model])} DS",
                {"Method": _AFEW_LABELS.get(model, TITLES[model]), "Sampling": "DS"},
                f"{model}-ds",
            )
            for model in _ON_AFEW
        ),
    ),
    costs=True,
)

_BY_TI = (
    "c3d",
    "p3d",
    "r2plus1d-18",
    "r3d-18",
    "i3d-rgb",
    "vgg11-lstm",
    "resnet18-lstm",
    "r3d-18-center-loss",
    "ec-stfl",
)
_BY_DS = ("r3d-18", "resnet18-lstm", "resnet18-gru", "former-dfer", OURS)
_OVERSAMPLED = Experiment(f"{OURS}-ds-oversampled", OURS, _MAIN.settings, {**DS, "oversample": True})

TABLE_5 = TableSpec(
    "table_5",
    "5",
    "Comparison on DFEW",
    "TI: time interpolation, published from pooled confusion matrices; DS: dynamic sampling, published as means of "
    "folds. A row is marked as a reproduction where network and recipe are those of the authors of its figures; the "
    "others compare networks under one recipe. GMACs: counted as published figures were.",
    FOLDS,
    (*(_rival(model, TI) for model in _BY_TI), *(_rival(model, DS) for model in _BY_DS), _OVERSAMPLED),
    (
        *(RowSpec(f"{TITLES[m]} TI", {"Method": TITLES[m], "Sampling": "TI"}, f"{m}-ti") for m in _BY_TI),
        *(RowSpec(f"{TITLES[m]} DS", {"Method": TITLES[m], "Sampling": "DS"}, f"{m}-ds") for m in _BY_DS),
        RowSpec(
            f"{TITLES[OURS]} DS oversampled",
            {"Method": f"{TITLES[OURS]}, oversampled", "Sampling": "DS"},
            _OVERSAMPLED.name,
        ),
    ),
    costs=True,
    recalls=True,
)

FILTER_THRESHOLDS = TableSpec(
    "filter_thresholds",
    "",
    "Thresholds mu1 and mu2 of the snippet-based filter (the supplement's study)",
    "No training of its own: the stored logits of the snippets are read with other thresholds.",
    FOLDS,
    (_MAIN,),
    tuple(
        RowSpec(f"mu1 {a} mu2 {b}", {"mu1": str(a), "mu2": str(b)}, OURS, Reading(mu1=a, mu2=b))
        for a in MU1
        for b in MU2
    ),
)

TABLES: Mapping[str, TableSpec] = {
    table.name: table for table in (TABLE_1, TABLE_2, TABLE_3, TABLE_4, TABLE_5, FILTER_THRESHOLDS)
}
#: Filled by trainings of their own; the others read the graph's.
TRAINED = ("table_1", "table_3", "table_4", "table_5")
