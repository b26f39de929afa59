from __future__ import annotations

from packaging.requirements import Requirement

from devtools.outdated import table


def test_what_is_held_back_names_who_does_it() -> None:
    limits = {
        "a-package": [("other", Requirement("a_package<2")), ("more", Requirement("a-package>=1"))],
        "free": [("other", Requirement("free>=1"))],
    }
    told = table(
        [("A_Package", "1.5"), ("free", "1.0"), ("newest", "3.0"), ("local", "1.0")],
        {"a-package": "2.1", "free": "1.1", "local": "1.0+cpu"},
        limits,
    )
    assert told.splitlines()[2:] == ["| A_Package | 1.5 | 2.1 | other (<2) |", "| free | 1.0 | 1.1 | nothing |"]
