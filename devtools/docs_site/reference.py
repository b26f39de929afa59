"""Pages of the API reference: one a package, a section a module, written from the docstrings when the site is built."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from devtools.docs_site import links

PACKAGES = ("nrdfer", "assets", "pipelines")
INDEX = "reference/README.md"


def packages() -> dict[str, list[str]]:
    """Every package of the product with its own modules, by dotted name; those of subpackages are not repeated."""
    found = {}
    for root in PACKAGES:
        for init in sorted((links.PROJECT / root).rglob("__init__.py")):
            modules = [path for path in sorted(init.parent.glob("*.py")) if not path.name.startswith("__")]
            found[_dotted(init.parent)] = [_dotted(path.with_suffix("")) for path in modules]
    return found


def pages() -> Iterator[tuple[str, str]]:
    """Path in the site's source folder and Markdown of each page, the index first."""
    names = packages()
    rows = "\n".join(f"| [{name}]({name}.md) | {summary(name)} |" for name in names)
    yield INDEX, f"# API reference\n\nMade from the docstrings.\n\n| package | |\n| --- | --- |\n{rows}\n"
    for name, modules in names.items():
        itself = f"# {name}\n\n::: {name}\n    options: {{show_root_heading: false}}\n"
        yield f"reference/{name}.md", "\n".join([itself, *(f"::: {module}\n" for module in modules)])


def summary(package: str) -> str:
    """The first sentence of a package's docstring, for a cell of a table."""
    text = (links.PROJECT.joinpath(*package.split(".")) / "__init__.py").read_text(encoding="utf-8")
    first = " ".join((ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z])", first)[0].replace("|", "\\|")


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(links.PROJECT).parts)
