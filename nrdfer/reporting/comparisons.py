"""The report's section of paired tests: which differences of the paper's pairs are more than chance."""

from __future__ import annotations

from collections.abc import Sequence

from nrdfer.core.optional_output import Missing
from nrdfer.evaluation.result_table import ResultTable
from nrdfer.evaluation.seeds import FEWEST
from nrdfer.experiments.pairs import TablePairs
from nrdfer.reporting.comparison_table import likelihood_table, pair_table
from nrdfer.reporting.page import Section


def comparisons_section(
    pairs: Sequence[TablePairs | Missing], tables: Sequence[ResultTable], seeds: int, *, comparable: bool
) -> Section:
    """The section.

    Args:
        pairs: of every table, as far as they are there, or why they cannot be compared.
        tables: the paper's, filled.
        seeds: trainings of each cell that the profile asks for.
        comparable: whether anything may be compared with published figures.
    """
    found = [pair_table(each) for each in pairs if isinstance(each, TablePairs) and each.comparisons]
    likelihood = likelihood_table(tables) if comparable else None
    words = (
        "Every pair of rows that the paper compares: both networks answer the same clips, so the tests look at the "
        "clips that only one of them gets right (McNemar's exact test, and a paired bootstrap within class and fold)."
    )
    if comparable and seeds < FEWEST:
        trainings = "one training" if seeds == 1 else f"{seeds} trainings"
        words += (
            f" How likely a published figure is under our seeds cannot be said with {trainings} of each cell: it takes "
            f"{FEWEST} (`seeds` of the profile)."
        )
    return Section(
        "comparisons",
        "Which differences are more than chance",
        words,
        tables=(*found, *((likelihood,) if likelihood else ())),
        pictures=tuple(each for each in pairs if isinstance(each, Missing)),
        open="" if found else "No pair has both rows: run the tables' jobs, whose commands are below the tables.",
    )
