"""Draw the layers of the code and list its packages in docs/architecture.md, from the contract and the docstrings.

    python -m scripts.docs.architecture

The layers are those that ``lint-imports`` holds (pyproject.toml); a package's sentence is the first of its docstring.
Writes ``docs/pictures/layers.svg`` and the text between the page's markers.
"""

from __future__ import annotations

import ast
import html
import re
import tomllib
from pathlib import Path

from nrdfer.core.markdown_text import table

PROJECT = Path(__file__).resolve().parents[2]
PAGE, PICTURE = PROJECT / "docs/architecture.md", PROJECT / "docs/pictures/layers.svg"
MARKERS = re.compile(r"(<!-- packages -->\n).*?(<!-- end of packages -->)", re.DOTALL)
WIDTH, HEIGHT, GAP = 900, 34, 8  # pixels: of the picture, of a line of packages, between two
COLOURS = {"pipelines": "#DCE6F2", "assets": "#D5F0E3", "nrdfer": "#FCE9C8"}


def layers() -> list[tuple[str, ...]]:
    """Packages in lines, the highest first; a package imports only from lines below its own."""
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    of_nrdfer = next(contract for contract in contracts if contract.get("containers") == ["nrdfer"])
    inside = [tuple(f"nrdfer.{name.strip()}" for name in line.split("|")) for line in of_nrdfer["layers"]]
    return [("pipelines",), ("assets",), *inside]


def sentence_of(package: str) -> str:
    """The first sentence of a package's or module's docstring."""
    place = PROJECT.joinpath(*package.split("."))
    text = place.with_suffix(".py").read_text() if not place.is_dir() else (place / "__init__.py").read_text()
    told = " ".join((ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z])", told)[0]


def packages_table() -> str:
    """One row a package, in the order of the picture."""
    rows = ([f"`{name.replace('.', '/')}`", sentence_of(name)] for line in layers() for name in line)
    return table(["package", ""], rows)


def draw() -> str:
    """The picture, as SVG: a line a layer, imports point downward."""
    lines = layers()
    height = len(lines) * (HEIGHT + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        "<title>Layers of the code: a package imports only from lines below its own</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, names in enumerate(lines):
        width = (WIDTH - GAP * (len(names) + 1)) / len(names)
        for place, name in enumerate(names):
            x, y = GAP + place * (width + GAP), GAP + number * (HEIGHT + GAP)
            colour = COLOURS[name.partition(".")[0]]
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{HEIGHT}" rx="4" fill="{colour}"/>')
            shown = html.escape(name.removeprefix("nrdfer."))
            at = f'x="{x + width / 2:.1f}" y="{y + HEIGHT / 2 + 5}"'
            parts.append(f'<text {at} text-anchor="middle" font-size="14">{shown}</text>')
    return "\n".join([*parts, "</svg>", ""])


def page() -> str:
    """The page with a current table."""
    return MARKERS.sub(lambda match: f"{match[1]}{packages_table()}\n{match[2]}", PAGE.read_text())


def main() -> None:
    """Write the picture and the table."""
    PICTURE.write_text(draw())
    PAGE.write_text(page())
    print(f"{PICTURE.relative_to(PROJECT)} and the table of {PAGE.relative_to(PROJECT)} are current")


if __name__ == "__main__":
    main()
