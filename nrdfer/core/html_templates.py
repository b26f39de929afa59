"""Jinja templates of a package, in its folder ``templates``: all values are escaped.

The text of the pages belongs to the packages; Markdown to `nrdfer.core.markdown_text`.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from nrdfer.core.plain_text import lines


@cache
def templates(package: str) -> Environment:
    """The templates of a package; only HTML (`Markup`) is not escaped, and None is shown as an empty text."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # HTML was built from text that has passed `lines`
        finalize=lambda value: lines(value) if type(value) is str else "" if value is None else value,
    )
