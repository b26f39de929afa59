"""Names from outside: refused as paths, shortened without becoming equal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.core.plain_text import one_line
from nrdfer.core.safe_names import checked_name, shortened

TRICKS = [
    "",
    ".",
    "..",
    "../../x",
    "..\\x",
    "/etc/passwd",
    "C:x",
    "a/b",
    "a\\b",
    "a\0b",
    "a\nb",
    "a\x1b[2J",
    "x" * 300,
    "con",
    "NUL.yaml",
    "com1",
    "name.",
    "name ",
    " name",
    ".hidden",
    "-rf",
    "a\u2215b",  # a slash of mathematics
    "a\uff0fb",  # a wide slash
    "a\u202eb",  # what follows is read from right to left
    "a\u200bb",
    "a\udcffb",  # a byte that is no UTF-8
    "a%2fb",
    "*",
    "a?b",
    "~",
    "$HOME",
]


@pytest.mark.parametrize("name", TRICKS, ids=ascii)
def test_a_name_that_could_lead_elsewhere_is_refused_in_words(name: str) -> None:
    with pytest.raises(ValueError, match=r"profile '.*' cannot be used as a name: .*Use letters") as caught:
        checked_name(name, "profile")
    assert one_line(str(caught.value)) == str(caught.value)  # the message itself is harmless
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["sample", "my-run_2", "v1.2", "Größe 3", "表情", "a(1)", "console"])
def test_ordinary_names_stay(name: str) -> None:
    assert checked_name(name, "profile") == name


@given(st.text(max_size=120))
def test_whatever_is_accepted_is_one_visible_part_of_a_path(name: str) -> None:
    try:
        checked_name(name, "name")
    except ValueError:
        return
    assert Path("/folder", name).parent == Path("/folder")
    assert os.path.normpath(f"/folder/{name}") == f"/folder/{name}"
    assert one_line(name) == name


def test_long_names_that_begin_alike_stay_apart() -> None:
    first, second = shortened("a" * 200 + "1", 88), shortened("a" * 200 + "2", 88)
    assert first != second
    assert len(first) == len(second) == 88
    assert shortened("a" * 88, 88) == "a" * 88
