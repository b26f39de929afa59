from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest

from nrdfer.config.rendering import CorpusSettings
from nrdfer.config.settings import LaidOver, SettingError, build_settings, merge, renamed
from nrdfer.core.coerce import brief_quotes
from nrdfer.core.errors import ProfileError
from nrdfer.runtime.engine import Engine


def test_merge_keeps_what_is_not_overridden() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}}) == {"a": {"b": 1, "c": 4}, "d": 3}


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5


PRESETS = {"None": {"rate": 7.0}, "1": {"rate": 0.0}}
BASE = LaidOver(lambda values: PRESETS[str(values.get("rate"))])


@dataclass(frozen=True)
class Settings:
    count: int = 1
    rate: float = 0.5
    on: bool = False
    name: str = "a"
    limit: float | None = None
    folder: str | None = None
    pair: tuple[float, float] = (0.0, 1.0)
    sizes: tuple[int, ...] = ()
    inner: Inner = field(default_factory=Inner)
    more: Mapping[str, Any] = field(default_factory=dict)
    maybe: Inner | None = None
    named: Mapping[str, Inner] = field(default_factory=dict)
    preset: Annotated[Inner, "text", BASE] = field(default_factory=Inner)


@pytest.mark.parametrize(
    ("name", "given", "built"),
    [
        ("count", 3, 3),
        ("count", "12", 12),
        ("rate", 4, 4.0),
        ("rate", "1e-3", 0.001),  # YAML reads it as text
        ("on", True, True),
        ("name", "3", "3"),
        ("limit", None, None),
        ("limit", "1e-3", 0.001),
        ("folder", "x", "x"),
        ("pair", [1, "1e1"], (1.0, 10.0)),
        ("sizes", [1, 2, 3], (1, 2, 3)),
        ("inner", {"rate": 1}, Inner(1.0)),
        ("inner", Inner(2.0), Inner(2.0)),
        ("more", {"a": [1]}, {"a": [1]}),
        ("maybe", {"rate": 1}, Inner(1.0)),
        ("maybe", None, None),
        ("named", {"x": {"rate": 2}}, {"x": Inner(2.0)}),
        ("preset", {}, Inner(7.0)),
        ("preset", {"rate": 1}, Inner(1.0)),
    ],
)
def test_values_become_what_the_annotation_says(name: str, given: Any, built: Any) -> None:
    value = getattr(build_settings(Settings, {name: given}, "test"), name)
    assert value == built
    assert type(value) is type(built)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("rate", "abc", "test: rate is 'abc' (str), but must be a number"),
        ("rate", True, "rate is True (bool), but must be a number"),
        ("rate", float("nan"), "rate is nan (float), but must be a number"),
        ("rate", None, "rate is None"),
        ("count", 1.5, "count is 1.5 (float), but must be a whole number"),
        ("count", True, "count is True (bool), but must be a whole number"),
        ("count", "1.5", "count is '1.5' (str), but must be a whole number"),
        ("on", "yes", "on is 'yes' (str), but must be true or false"),
        ("on", 1, "on is 1 (int), but must be true or false"),
        ("name", 5, "name is 5 (int), but must be text"),
        ("limit", "no", "limit is 'no' (str), but must be a number"),
        ("pair", [1], "pair is [1] (list), but must be a list of 2"),
        ("pair", [1, "x"], "pair entry 2 is 'x' (str), but must be a number"),
        ("sizes", 3, "sizes is 3 (int), but must be a list"),
        ("sizes", [1, 2.5], "sizes entry 2 is 2.5"),
        ("inner", 3, "inner is 3, but must be named settings"),
        ("inner", {"rate": "x"}, "test: inner: rate is 'x'"),
        ("named", {"x": {"rates": 2}}, "test: named.x: unknown setting rates; known are rate"),
        ("named", {"x": 2}, "test: named: x is 2, but must be named settings"),
        ("more", [1], "more is [1] (list), but must be named settings"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(name: str, given: Any, message: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(message)):
        build_settings(Settings, {name: given}, "test")


def test_lists_become_tuples() -> None:
    assert build_settings(CorpusSettings, {"frames": [8, 10]}, "test").frames == (8, 10)


def test_a_long_value_is_not_quoted_whole() -> None:
    with pytest.raises(ProfileError, match=r"precision must be one of fp32.*not 'fp\[+\.\.\.'$") as raised:
        build_settings(Engine, {"precision": "fp" + "[" * 50_000}, "profile mine: engine")
    assert len(str(raised.value)) < 400


def test_only_a_long_quoted_value_is_cut_out_of_a_message() -> None:
    advice = f"the detector's size must fit; {'see the table of sizes, ' * 10}the network's own is 'large', not 'small'"
    assert brief_quotes(advice) == advice
    assert brief_quotes(f"not {'x' * 200!r}, but 'y'") == f"not '{'x' * 120}...', but 'y'"
    quoted = brief_quotes(f"not {chr(39) + chr(34) + 'x' * 200!r}; try 'y'")  # both kinds of quotes: one is escaped
    assert quoted.endswith("...'; try 'y'") and len(quoted) < 160


def test_an_error_leads_to_its_setting() -> None:
    for values, place in (
        ({"inner": {"rate": "x"}}, ("inner", "rate")),
        ({"inner": {"rates": 1}}, ("inner", "rates")),
        ({"named": {"a": {"rate": True}}}, ("named", "a", "rate")),
        ({"pair": [1]}, ("pair",)),
    ):
        with pytest.raises(SettingError) as raised:
            build_settings(Settings, values, "test")
        assert raised.value.place == place


def test_of_two_spellings_the_one_laid_over_last_counts() -> None:
    assert renamed({"a": {"old": 1}, "b": [{"old": 1}]}, "old", "new") == {"a": {"new": 1}, "b": [{"old": 1}]}
    assert renamed(merge({"old": 1}, {"new": 2}), "old", "new") == {"new": 2}
    assert renamed(merge({"new": 1}, {"old": 2}), "old", "new") == {"new": 2}
