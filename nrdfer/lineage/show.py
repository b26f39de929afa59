"""Lineage chains as readable text: broken links one by one, intact ones counted where there are many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from nrdfer.core.plain_text import one_line
from nrdfer.lineage.links import Chain, Link

_EACH = 7  # of a kind in a row; more are counted
_KIND, _NAME = 20, 52  # columns


def chain_lines(chain: Chain) -> Iterator[str]:
    """One chain, from the version to its sources."""
    aliases = f"  @{' @'.join(chain.aliases)}" if chain.aliases else ""
    yield one_line(f"{chain.version}{aliases}")
    for kind, run in groupby(chain.links, key=lambda link: link.kind):
        links = list(run)
        whole = [link for link in links if not link.problem]
        if len(whole) > _EACH:
            yield _line("ok", kind, f"{len(whole)} of {len(links)}", _between(whole))
        else:
            yield from (_line("ok", kind, link.name, _text_of(link)) for link in whole)
        yield from (broken_line(link) for link in links if link.problem)


def broken_line(link: Link) -> str:
    """One broken link: what it is, where, and what is wrong."""
    where = f"  ({link.where})" if link.where and link.where not in link.problem else ""
    return one_line(f"  BROKEN  {link.kind}: {link.name}: {link.problem}{where}")


def _line(state: str, kind: str, name: str, text: str) -> str:
    return one_line(f"  {state}  {kind:{_KIND}}  {name:{_NAME}}  {text}".rstrip())


def _text_of(link: Link) -> str:
    digest = link.digest[:12] if len(link.digest) == 64 else ""
    address = link.where if link.where.startswith(("http", "commit", "runs:")) else ""
    return "  ".join(part for part in (digest, address or (link.where if not digest else ""), link.note) if part)


def _between(links: Sequence[Link]) -> str:
    return f"{links[0].name} ... {links[-1].name}"
