"""The long description for a package index: README.md, whose relative links would lead nowhere there.

Everything else is in pyproject.toml. With an address of the repository (``Repository`` in ``project.urls``) relative
links and pictures lead to it; without one, pictures are left out and links become their text.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
PICTURE = re.compile(r"(!\[[^\]]*\]\()((?!\w+:)[^)\s]+)\)\n?")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(((?!\w+:|#)[^)\s]+)\)")


def long_description(readme: str, repository: str | None) -> str:
    """The README's Markdown as a package index can show it; `repository` is an address without a slash at its end."""
    if repository is None:
        return LINK.sub(r"\1", PICTURE.sub("", readme))
    pictures = PICTURE.sub(lambda match: f"{match[1]}{repository}/raw/HEAD/{match[2]})\n", readme)
    return LINK.sub(lambda match: f"[{match[1]}]({repository}/blob/HEAD/{match[2]})", pictures)


if __name__ == "__main__":  # pip and build run this file, tests import it
    from setuptools import setup

    urls = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    address = urls.get("Repository")
    setup(
        long_description=long_description((PROJECT / "README.md").read_text(encoding="utf-8"), address),
        long_description_content_type="text/markdown",
    )
