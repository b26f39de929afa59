"""Addresses in text from outside: Markdown shows them as they are, and makes no link of them."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from nrdfer.core.markdown_text import plain

ADDRESSES = [
    "see http://evil.example/x", "see _http://evil.example/x", "1http://evil.example/x", "HTTPS://evil.example",
    "_www.evil.example/x", "a_https://evil.example/login.mp4", "2WWW.evil.example", "~ftp://evil.example",
    "mail boss@evil.example now", "_mailto:boss@evil.example", "a.b+c@evil_x.evil-y.example",
]  # fmt: skip
#: By what GitHub's Markdown finds an address, after its escapes were taken out.
_LIVE = re.compile(r"(?:https?|ftp|mailto|xmpp):|www\.|[\w.+-]@[\w-]+\.", re.IGNORECASE)


@pytest.mark.parametrize("text", ADDRESSES)
def test_no_address_stays_alive(text: str) -> None:
    assert not _LIVE.search(re.sub(r"\\_", "_", plain(text)))


@pytest.mark.parametrize("text", [*ADDRESSES, "models:/nr-dfernet@champion", "at 10:30, a.b"])
def test_it_is_shown_as_it_is(text: str) -> None:
    assert MarkdownIt().render(plain(text)) == f"<p>{text}</p>\n"


def test_what_is_no_address_stays_readable() -> None:
    assert plain("models:/nr-dfernet@champion at 10:30") == "models:/nr-dfernet@champion at 10:30"
