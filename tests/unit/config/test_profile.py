from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nrdfer.config.profile import ShardsConfig, load_profile
from nrdfer.config.rendering import CorpusSettings
from nrdfer.config.settings import build_settings, merge
from nrdfer.core.coerce import brief_quotes
from nrdfer.core.errors import ProfileError
from nrdfer.runtime.engine import Engine
from pipelines.resources import PROFILES


@pytest.mark.parametrize("name", ["sample", "paper"])
def test_shipped_profiles_load(name: str) -> None:
    profile = load_profile(PROFILES / f"{name}.yaml")
    assert profile.name == name
    assert profile.description


@pytest.mark.parametrize("name", ["sample", "paper"])
def test_every_stage_understands_its_part_of_a_shipped_profile(name: str) -> None:
    from nrdfer.training.request import network_settings

    profile = load_profile(PROFILES / f"{name}.yaml")
    assert network_settings(profile)["classes"] == 7
    assert profile.recipe_for("dfew").epochs > 0
    assert profile.recipe_for("afew").epochs > 0


def test_a_missing_profile_names_those_that_exist() -> None:
    with pytest.raises(ProfileError, match=r"no profile 'sampel'.*paper, quick, sample"):
        load_profile(PROFILES / "sampel.yaml")


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(ProfileError, match=r"shards: unknown setting clip_per_shard"):
        load_profile(PROFILES / "sample.yaml", {"shards": {"clip_per_shard": 3}})


def test_a_profile_that_is_not_yaml(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: [1")
    with pytest.raises(ProfileError, match="not valid YAML"):
        load_profile(tmp_path / "x.yaml")


def test_overrides_are_laid_over_field_by_field() -> None:
    profile = load_profile(PROFILES / "sample.yaml", {"shards": {"jpeg_quality": 80}})
    assert profile.shards == ShardsConfig(jpeg_quality=80)
    assert profile.corpora.rendered


def test_merge_keeps_what_is_not_overridden() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}}) == {"a": {"b": 1, "c": 4}, "d": 3}


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5


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
