"""YAML of settings: bounded before it is read, and plain values only."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.commands.common import fields_of
from nrdfer.config.profile import load_profile
from nrdfer.core.errors import ProfileError
from nrdfer.core.plain_yaml import line_of, read_settings, settings_in

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LAUGHS, r"would become more than 50,000 values: do its aliases multiply"),
        ("a: &a {b: *a}", r"\*a is used inside its own anchor"),
        ("a: &a [1]\nb: &a [*a]", r"\*a is used inside"),
        ("a: *b", r"\*b is used inside its own anchor, or before it"),
        ("[" * 20_000, "nested more than 40 deep"),
        ("{a: " * 20_000, "nested more than 40 deep"),
        ("- " * 5_000, "nested more than 40 deep"),
        ("a: .nan", "a is nan, which is no number"),
        ("a: {b: -.inf}", "a: b is -inf, which is no number"),
        ("a: 2026-01-01", r"a is 2026-01-01 \(date\), but must be text"),
        ("a: !!binary aGVsbG8=", r"\(bytes\)"),
        ("a: !!set {x, y}", r"\(set\)"),
        ("1: x", "1 is the name of a setting, but no text"),
        ("a: {true: x}", "True is the name of a setting"),
        ("? [a, b]\n: x", "name of a setting|not valid YAML"),
        (f"a: {'9' * 5000}", "not valid YAML"),
        (f"a: 0x{'f' * 5000}", "whole number of 20000 bits"),
        (f"a: {'x' * 20_000}", "a value of 20,000 characters"),
        ("a: " + "x " * 200_000, "characters; settings have at most"),
        ("a: !!python/object/apply:os.system ['true']", "not valid YAML"),
        ("a: [1", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ("a: {b: 1}\nc: 2\na: {d: 3}", "profile x, line 3: a is given in line 1, too; merge both"),
        ('{"a": {"b": 1, "b": 2}}', "profile x, line 1: b is given in line 1, too"),
        ("a:\n- b: 1\n  'b': 2", "profile x, line 3: b is given in line 2, too"),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_plain_setting_is_refused_in_words(text: str, told: str) -> None:
    with pytest.raises(ProfileError, match=told) as caught:
        settings_in(text, "profile x")
    assert len(str(caught.value)) < 1000


def test_aliases_that_stay_small_are_read() -> None:
    text = "base: &base {lr: 0.1, sizes: [1, 2]}\nmore:\n  <<: *base\n  lr: 0.2\nagain: *base"
    read = settings_in(text, "profile x")
    assert read["more"] == {"lr": 0.2, "sizes": [1, 2]}
    assert read["again"] == read["base"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "x.yaml").write_bytes("description: Größe".encode(encoding))
    assert read_settings(tmp_path / "x.yaml", "x") == {"description": "Größe"}


def test_a_file_in_another_encoding_is_to_be_saved_as_utf8(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes("description: Größe".encode("latin-1"))
    with pytest.raises(ProfileError, match="is not UTF-8 text: save it as UTF-8"):
        load_profile(tmp_path / "x.yaml")


def test_a_text_of_fifty_megabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.yaml").open("wb") as file:
        file.truncate(50 << 20)
    with pytest.raises(ProfileError, match="has 52,428,800 bytes; settings have at most 262,144"):
        load_profile(tmp_path / "x.yaml")


def test_settings_of_the_command_line_have_the_same_bounds() -> None:
    assert fields_of(["lr=1e-3", "augment.flip=true"], "--set") == {"lr": "1e-3", "augment": {"flip": True}}
    for given in ("a=.nan", "a=&a [*a]", "a=2026-01-01", "a=[1"):
        with pytest.raises(ProfileError, match=r"--set a="):
            fields_of([given], "--set")


def test_the_line_of_a_setting_is_found_as_far_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("# remark\na: &a\n  b: 1\nc: *a\nd: {e: [1, 2]}\n")
    lines = {place: line_of(path, "x", place) for place in ((), ("a", "b"), ("c", "b"), ("d", "e", "f"), ("z",))}
    assert lines == {(): None, ("a", "b"): 3, ("c", "b"): 3, ("d", "e", "f"): 5, ("z",): None}
