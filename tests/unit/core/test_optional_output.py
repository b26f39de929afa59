from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest

from nrdfer.core.errors import StoreError
from nrdfer.core.optional_output import Missing, attempt, draw, not_there


def fails(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [ValueError("'xerr' must not contain negative values"), MemoryError(), KeyError("x")])
def test_a_picture_that_fails_leaves_its_reason_and_no_half_of_itself(
    tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "bars.png"

    def half() -> None:
        path.write_bytes(b"\x89PNG")
        raise error

    with caplog.at_level(logging.WARNING):
        made = draw("The bars", path, half)
    assert isinstance(made, Missing) and type(error).__name__ in made.why
    assert not path.exists()
    assert not_there("The bars", path).why == f"The bars could not be made: {made.why}"
    assert "The bars could not be made" in caplog.text


def test_what_matters_more_than_a_picture_goes_through(tmp_path: Path) -> None:
    for error in (StoreError("damaged"), OSError(errno.ENOSPC, "no space"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            attempt("The bars", lambda error=error: fails(error))


def test_reasons_are_one_short_line_without_control_characters() -> None:
    made = attempt("The bars", lambda: fails(ValueError("a\nb \x1b[31m" + "x" * 9999)))
    assert isinstance(made, Missing)
    assert made.why.startswith("ValueError: a b \\x1b[31mxxx") and len(made.why) < 320
