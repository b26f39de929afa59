"""Output paths of predictions: names of the tables, and the paths that are refused before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nrdfer.core.output_checks import refuse_input, refuse_unwritable
from nrdfer.core.own_files import refuse_foreign

SUMMARY, PEOPLE = "predictions", "people"  # .csv and .json of all videos; .csv of all people


def refuse_places(videos: Sequence[Path], out: Path) -> None:
    """Refuse a folder that cannot receive predictions.

    Raises:
        NotOursError: the tables there were not made by an earlier call, or were changed since.
        StoreError: it cannot be written to, or is one of the folders that are searched.
    """
    refuse_unwritable(out, folder=True)
    refuse_input(out, videos)
    for name in (f"{SUMMARY}.csv", f"{SUMMARY}.json", f"{PEOPLE}.csv"):
        refuse_foreign(out / name)
