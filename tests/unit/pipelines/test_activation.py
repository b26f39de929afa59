"""Dagster's own command in a shell that was not activated is told what to type; others are not."""

from __future__ import annotations

import pytest

from pipelines.activation import advice


def test_a_line_without_the_jobs_module_is_told_both_ways() -> None:
    told = advice(["dagster", "job", "execute", "-j", "full_reproduction"], {})
    assert ". .venv/bin/activate" in told and told.endswith("nrdfer run full_reproduction")
    assert advice(["/x/dagster", "asset", "materialize", "--select", "a"], {}).endswith("nrdfer run")


@pytest.mark.parametrize(
    ("line", "environment"),
    [
        (["dagster", "job", "execute", "-j", "a"], {"DAGSTER_MODULE_NAME": "pipelines.definitions"}),
        (["dagster", "job", "execute", "-m", "pipelines.definitions", "-j", "a"], {}),
        (["dagster", "job", "execute", "--python-file=a.py", "-j", "a"], {}),
        (["dagster", "dev"], {}),
        (["nrdfer", "run", "a"], {}),
        ([], {}),
    ],
)
def test_other_lines_are_not(line: list[str], environment: dict[str, str]) -> None:
    assert advice(line, environment) == ""


def test_a_jobs_name_cannot_write_a_line_of_its_own() -> None:
    assert "\n" not in advice(["dagster", "job", "execute", "-j", "a\nb"], {})
