"""Make the tables of docs/training.md: ``make figures``. Nothing is trained or run for it.

The page's prose is written by hand; the text between its markers is generated here.
"""

from __future__ import annotations

import re
from pathlib import Path

from nrdfer.config.recipe import RECIPES
from nrdfer.core.markdown_text import table
from nrdfer.training.open_choices import CHOICES, HEADER, RECIPES_HEADER, choice_row, recipe_row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training.md"


def tables() -> dict[str, str]:
    """The generated tables by the name in their markers."""
    return {
        "recipes": table(RECIPES_HEADER, [recipe_row(recipe) for recipe in RECIPES.values()]),
        "choices": table(HEADER, [choice_row(choice) for choice in CHOICES]),
    }


def main() -> None:
    """Make everything."""
    text = PAGE.read_text()
    for name, made in tables().items():
        markers = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text, changed = markers.subn(lambda m, made=made: f"{m[1]}\n{made}\n\n{m[2]}", text)
        if changed != 1:
            raise SystemExit(f"{PAGE} has no pair of markers for {name}")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
