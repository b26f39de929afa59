"""Everything that MLflow lists, and not its first page only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any


def pages(ask: Callable[[str | None], Iterable[Any]]) -> Iterator[Any]:
    """All entries of a listing, page by page.

    Args:
        ask: gives the page that belongs to a token; None asks for the first.
    """
    token: str | None = None
    while True:
        page = ask(token)
        yield from page
        token = getattr(page, "token", None)
        if not token:
            return
