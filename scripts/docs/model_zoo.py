"""Write the tables of docs/model_zoo.md, from the shipped weights' cards and the catalogue: part of ``make figures``.

On its own: ``python -m scripts.docs.model_zoo``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from nrdfer.core.markdown_text import table
from nrdfer.weights.catalogue import CATALOGUE, PinnedWeights
from nrdfer.weights.sample_network import CARD, FIGURES

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "model_zoo.md"
SAMPLES = PROJECT / "nrdfer" / "weights" / "sample"
SHIPPED = re.compile(r"(<!-- shipped -->\n).*?(<!-- end of shipped -->)", re.DOTALL)
FETCHED = re.compile(r"(<!-- fetched -->\n).*?(<!-- end of fetched -->)", re.DOTALL)


def shipped_table() -> str:
    """One row for each file of weights in the package, from the card beside it."""
    rows = [shipped_row(path) for path in sorted(SAMPLES.rglob("*.safetensors"))]
    return table(["file", "what", "parameters", "trained on", "not for", "sha256"], rows)


def shipped_row(weights: Path) -> list[str]:
    """A row: link to the card, its title, and what it says.

    Raises:
        SystemExit: the card lacks a sentence that the table needs.
    """
    page, measured = weights.with_suffix(".md"), weights.with_suffix(".json")
    if not page.is_file():  # of a network, whose files have a folder of their own
        page, measured = weights.with_name(CARD), weights.with_name(FIGURES)
    card = " ".join(page.read_text(encoding="utf-8").split())
    facts = json.loads(measured.read_text(encoding="utf-8"))
    sha256 = facts["sha256"] if isinstance(facts["sha256"], str) else facts["sha256"][weights.name]
    title = re.match(r"# Sample weights: (.+?) Network: ", card)
    trained = re.search(r"Trained (?:from random weights )?on (.+?)[.:]", card)
    unfit = re.search(r"\*\*Do not use\*\* for (.+?)[.:]", card)
    if not (title and trained and unfit):
        raise SystemExit(f"{page.name} of {weights.name} lacks its title, `Trained on ...` or `**Do not use** for ...`")
    name = f"[{weights.name}](../{page.relative_to(PROJECT).as_posix()})"
    return [name, title[1], f"{facts['parameters']:,}", trained[1], unfit[1], f"`{sha256[:16]}…`"]


def fetched_table() -> str:
    """One row for each entry of the catalogue."""
    return table(["name", "what", "bytes", "licence", "content", "where from"], map(fetched_row, CATALOGUE.values()))


def fetched_row(entry: PinnedWeights) -> list[str]:
    """A row of cells."""
    size = f"{entry.size:,}" if entry.size else "not pinned"
    hub = f"the hub, {entry.repo}" if entry.repo else "the user brings it"
    return [f"`{entry.name}`", entry.description, size, entry.licence, f"`{entry.content_id}`", hub]


def page() -> str:
    """The page with current tables."""
    text = SHIPPED.sub(lambda match: f"{match[1]}\n{shipped_table()}\n\n{match[2]}", PAGE.read_text(encoding="utf-8"))
    return FETCHED.sub(lambda match: f"{match[1]}\n{fetched_table()}\n\n{match[2]}", text)


def main() -> None:
    """Write the tables."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"the tables of {PAGE.relative_to(PROJECT)} are current")


if __name__ == "__main__":
    main()
