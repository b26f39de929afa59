"""Contents of a report, found in the store; nothing is computed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TypeVar

from nrdfer.config.profile import Profile
from nrdfer.core.errors import NrdferError, StoreError
from nrdfer.core.optional_output import Missing, attempt, reason
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.corpora.registry import find_corpus
from nrdfer.experiments.catalogue import FOLDS, TABLE_1, TABLES
from nrdfer.experiments.fill import Filled, fill
from nrdfer.experiments.pairs import PAIRS, TablePairs, compare_pairs
from nrdfer.experiments.results import Results
from nrdfer.store import Artifact, Store
from nrdfer.store.pointers import made_with

NOISE = "noise/benchmark"  # asset of the noise benchmark
LEAKS = (DFEW.asset("near_duplicates"), AFEW.asset("near_duplicates"))  # artefacts of `nrdfer corpus leaks`

Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Findings:
    """Contents of a report, found in the store."""

    profile: Profile
    folds: Mapping[str, Artifact]  # evaluations of DFEW's folds, as far as there are
    cross_validation: Artifact | None  # None as long as a fold is missing
    afew: Artifact | None  # evaluation on AFEW
    dfew_shards: Artifact | None
    digests: Mapping[str, str]  # of the graph's assets
    tables: tuple[Filled, ...]
    baseline: Mapping[str, Artifact] = field(default_factory=dict)  # Table 1's setting a, by fold
    learned_token: Artifact | None = None  # Table 1's network with DSF and without DCT, on fold 1
    noise: Artifact | None = None  # the noise benchmark
    leaks: Mapping[str, Artifact] = field(default_factory=dict)  # near-duplicates between training and test, by corpus
    gaps: tuple[Missing, ...] = ()  # what is in the store and cannot be read
    results: Results | None = None  # where answers are read for paired tests

    @property
    def evaluations(self) -> dict[str, Artifact]:
        """Those of DFEW's folds and of AFEW, by name, as far as there are."""
        return {**self.folds, **({} if self.afew is None else {AFEW.name: self.afew})}

    @cached_property  # takes seconds a pair, so only for a report that is written
    def pairs(self) -> tuple[TablePairs | Missing, ...]:
        """The comparisons of each table's pairs, or why they cannot be made."""
        if self.results is None:
            return ()
        found: list[TablePairs | Missing] = []
        for name in PAIRS:
            gaps, what = _Gaps(), f"The comparison of {name}'s pairs"
            compared = gaps.keep(what, partial(attempt, what, partial(compare_pairs, TABLES[name], self.results)))
            found.append(gaps.found[0] if compared is None else compared)
        return tuple(found)

    @property
    def inputs(self) -> dict[str, str]:
        """Digests of everything the report depends on."""
        more = {} if self.noise is None else {NOISE: self.noise.digest}
        more |= {name: artifact.digest for name, artifact in self.leaks.items()}
        return {
            **self.digests,
            **more,
            **{f"{f.table.name}: {name}": digest for f in self.tables for name, digest in f.evaluations.items()},
        }


def find(
    profile: Profile,
    store: Store,
    folds: Mapping[str, Artifact],
    cross_validation: Artifact | None,
    afew: Artifact | None,
    dfew_shards: Artifact | None,
    digests: Mapping[str, str],
) -> Findings:
    """Find everything else that a report can show: tables, their networks, the noise benchmark.

    None of it is the run's own result, so damage there is stated in the report and does not end the run.

    Raises:
        StoreError: nothing was evaluated yet.
    """
    if not folds and afew is None:
        raise StoreError(f"nothing was evaluated with the profile {profile.name!r} yet, so there is nothing to report")
    results, gaps = Results(profile, store), _Gaps()

    def fold_of(experiment: str, fold: str) -> Artifact | None:
        asked = TABLE_1.experiment(experiment)
        return gaps.keep(f"What table_1's {asked.name} shows of {fold}", lambda: results.evaluation(asked, fold))

    baseline = {fold: fold_of("baseline", fold) for fold in FOLDS}
    tables = [gaps.keep(f"The table {name}", partial(fill, table, results)) for name, table in TABLES.items()]
    leaks = {name: gaps.keep(f"The leak report {name}", partial(_leaks, profile, name)) for name in LEAKS}
    return Findings(
        profile,
        folds,
        cross_validation,
        afew,
        dfew_shards,
        digests,
        tuple(filled for filled in tables if filled is not None),
        {fold: found for fold, found in baseline.items() if found is not None},
        fold_of("dsf", FOLDS[0]),
        gaps.keep("The noise benchmark", lambda: made_with(profile).get(NOISE)),
        {name: artifact for name, artifact in leaks.items() if artifact is not None},
        tuple(gaps.found),
        results,
    )


def _leaks(profile: Profile, name: str) -> Artifact | None:
    """The leak report of a corpus, if it is of the profile's present shards.

    Raises:
        NrdferError: it is of earlier ones.
    """
    found, corpus = made_with(profile).get(name), name.partition("/")[0]
    shards = made_with(profile).get(find_corpus(corpus).asset("shards"))
    if found is not None and (shards is None or found.manifest["inputs"]["shards"] != shards.digest):
        raise NrdferError(f"it was made of earlier shards; run nrdfer corpus leaks {corpus} again")
    return found


class _Gaps:
    """Collects what cannot be read."""

    def __init__(self) -> None:
        self.found: list[Missing] = []

    def keep(self, what: str, get: Callable[[], Kept]) -> Kept | None:
        """Result of `get`; None if it is damaged or its settings are not valid."""
        try:
            return get()
        except NrdferError as error:
            self.found.append(Missing(what, reason(error)))
            return None
