"""Jinja's templates of a package, in its folder ``templates``: everything they are given is escaped.

What the pages say belongs to the packages; Markdown to `nrdfer.core.markdown_text`.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from nrdfer.core.plain_text import lines


@cache
def templates(package: str) -> Environment:
    """The templates of a package; only what is already HTML (`Markup`) is not escaped, and None is shown as nothing."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # HTML was made of text that has passed `lines`
        finalize=lambda value: lines(value) if type(value) is str else "" if value is None else value,
    )
