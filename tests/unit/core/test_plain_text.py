"""Names of files and messages about them as plain UTF-8."""

import os

import pytest

from nrdfer.core.plain_text import name_of, name_text, one_line, utf8

NAMES = [
    b"a.mp4", b"Stra\xdfe.mp4", rb"Stra\xdfe.mp4", rb"Stra\\xdfe.mp4", b"Stra\xdf\\xdfe.mp4", rb"a\b.mp4", rb"a\\b.mp4",
    "Straße.mp4".encode(), rb"\udcdf", b"\xff\xfe", b"\\", b"\\\\",
]  # fmt: skip


def test_names_that_are_not_utf8_stay_distinct_and_come_back() -> None:
    texts = [name_text(os.fsdecode(name)) for name in NAMES]
    assert len(set(texts)) == len(NAMES)
    assert [os.fsencode(name_of(text.encode().decode())) for text in texts] == NAMES


@pytest.mark.parametrize("name", ["a.mp4", "Straße ' \" = ,.mp4", "a\\b.mp4", "ünï\n.mp4"])
def test_usual_names_are_not_changed(name: str) -> None:
    assert name_text(name) == name


def test_broken_surrogates_of_other_text_come_back_too() -> None:
    assert name_of(name_text("a\ud800b")) == "a\ud800b"


def test_messages_lose_nothing_but_what_no_terminal_takes() -> None:
    assert utf8("C:\\xdf Stra\udcdfe") == "C:\\xdf Stra\\xdfe"
    assert one_line("a\nb\x1b[31m\u2028c\u202ed ß") == "a\\x0ab\\x1b[31m\\u2028c\\u202ed ß"
