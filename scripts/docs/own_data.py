"""Draw the way of a user's own clips through the graph, for docs/own_data.md: part of ``make figures``.

On its own: ``python -m scripts.docs.own_data``. The boxes are the assets that a corpus of videos with two folds has.
"""

from __future__ import annotations

import html
from pathlib import Path

from nrdfer.corpora.own_corpus import Definition, OwnCorpus

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "own_data.svg"
WIDTH, HEIGHT, GAP = 172, 52, 26  # pixels: of a box, and between two
YOURS, DEFINED, MADE = "#FCE9C8", "#DCE6F2", "#D5F0E3"
Row = list[tuple[str, str, str]]  # colour, name, what it is


def rows() -> list[Row]:
    """The boxes, line by line."""
    corpus = OwnCorpus(Definition("studio", "/clips", videos=True, emotions=("joy", "neutral"), folds=2), Path())
    trained = corpus.splits[0]
    return [
        [
            (YOURS, "clips/, labels.csv", "yours; stay where they are"),
            (DEFINED, "nrdfer corpus add studio", "labels, folds, warnings"),
            (DEFINED, ".nrdfer/corpora/studio", "its definition"),
        ],
        [
            (MADE, corpus.asset(corpus.listing), "every file's sha256"),
            (MADE, corpus.asset("aligned_faces"), "faces found and aligned"),
            (MADE, corpus.asset("enhanced_faces"), "dark ones brightened"),
            (MADE, corpus.asset("shards"), "WebDataset"),
            (MADE, corpus.asset("folds"), "who is tested when"),
        ],
        [
            (MADE, corpus.asset("checkpoint", trained), "a training a fold"),
            (MADE, corpus.asset("evaluation", trained), "WAR, UAR; registered"),
            (MADE, corpus.asset("cross_validation"), "all folds, champion"),
            (YOURS, "nrdfer predict, serve", "answers with your labels"),
        ],
    ]


def draw() -> str:
    """The picture, as SVG."""
    lines = rows()
    wide = max(map(len, lines)) * (WIDTH + GAP) + GAP
    high = len(lines) * (HEIGHT + 2 * GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif">',
        "<title>From your clips and labels to a registered model that answers with your labels</title>",
        f'<rect width="{wide}" height="{high}" fill="white"/>',
    ]
    for number, line in enumerate(lines):
        y = GAP + number * (HEIGHT + 2 * GAP)
        for place, (colour, name, what) in enumerate(line):
            x = GAP + place * (WIDTH + GAP)
            middle = x + WIDTH / 2
            parts.append(f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{colour}"/>')
            for text, below, size in ((name, 21, 12.5), (what, 40, 11.5)):
                at = f'x="{middle}" y="{y + below}" text-anchor="middle" font-size="{size}"'
                parts.append(f"<text {at}>{html.escape(text)}</text>")
            if place:
                parts.append(_arrow(x - GAP + 3, y + HEIGHT / 2, x - 3, y + HEIGHT / 2))
        if number:  # from the last box of the line above to the first of this one
            last = GAP + (len(lines[number - 1]) - 1) * (WIDTH + GAP) + WIDTH / 2
            corners = f"{last},{y - 2 * GAP + 3} {last},{y - GAP} {GAP + WIDTH / 2},{y - GAP}"
            parts.append(f'<polyline points="{corners}" fill="none" stroke="#555"/>')
            parts.append(_arrow(GAP + WIDTH / 2, y - GAP, GAP + WIDTH / 2, y - 3))
    return "\n".join([*parts, "</svg>", ""])


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    ends = ((-6, -4), (-6, 4)) if y1 == y2 else ((-4, -6), (4, -6))
    head = " ".join([f"{x2},{y2}", *(f"{x2 + x},{y2 + y}" for x, y in ends)])
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#555"/><polygon points="{head}" fill="#555"/>'


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(draw(), encoding="utf-8")
    print(f"docs/pictures/{PICTURE.name} is current")


if __name__ == "__main__":
    main()
