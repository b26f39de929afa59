"""The fuzz tests' own loop: a test that cannot fail would tell nothing."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from nrdfer.core.errors import StoreError
from tests.fuzz import harness
from tests.fuzz.harness import fuzz
from tests.fuzz.mutate import damaged_bytes, damaged_json, damaged_text, damaged_value, json_bytes

GOOD = {"files": [{"path": "a.tar", "bytes": 12, "sha256": "0" * 64}], "clips": 3, "share": 0.5, "note": None}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FROM", "ONLY", "JSON"):
        monkeypatch.delenv(f"NRDFER_FUZZ_{name}", raising=False)
    monkeypatch.setenv("NRDFER_FUZZ_INPUTS", "200")


def number(rng: random.Random) -> int:
    return rng.randrange(100)


def test_results_and_errors_in_words_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_FUZZ_JSON", str(tmp_path / "figures.json"))

    def run(n: int) -> None:
        if n % 2:
            raise StoreError(f"{n} is odd")

    tally = fuzz("numbers", number, run)
    assert tally.results + tally.words == tally.inputs == 200
    assert min(tally.results, tally.words) > 50
    written = json.loads((tmp_path / "figures.json").read_text())
    assert (written["name"], written["inputs"], written["crashes"]) == ("numbers", 200, 0)


def raises_key_error(n: int) -> None:
    if n == 7:
        raise KeyError(n)


def says_nothing(n: int) -> None:
    if n == 7:
        raise StoreError("")


def is_wrong(n: int) -> None:
    assert n != 7


def takes_memory(n: int) -> None:
    if n == 7:
        bytearray(20 << 30)


@pytest.mark.parametrize(
    ("run", "kind"),
    [(raises_key_error, "crashes"), (says_nothing, "crashes"), (is_wrong, "wrong"), (takes_memory, "memory")],
)
def test_whatever_is_no_words_fails_with_its_seed(run: object, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match=kind) as raised:
        fuzz("numbers", number, run)  # type: ignore[arg-type]
    seed = str(raised.value).split("NRDFER_FUZZ_ONLY=")[1].split()[0]
    assert random.Random(f"numbers:{seed}").randrange(100) == 7
    monkeypatch.setenv("NRDFER_FUZZ_ONLY", seed)
    with pytest.raises((KeyError, StoreError, AssertionError, MemoryError)):
        fuzz("numbers", number, run)  # type: ignore[arg-type]


def test_a_hang_ends_even_where_exceptions_are_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "HANG_SECONDS", 0.2)
    monkeypatch.setenv("NRDFER_FUZZ_INPUTS", "2")

    def forever(_: int) -> None:
        while True:
            try:
                while True:
                    pass
            except Exception:  # noqa: S112
                continue

    with pytest.raises(AssertionError, match="hangs"):
        fuzz("numbers", number, forever)


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: damaged_bytes([b"PK\3\4 some 123 bytes", b"x" * 3000], rng),
        lambda rng: damaged_text(["clip one", "Straße"], rng),
        lambda rng: json_bytes(damaged_value(GOOD, rng)),
        lambda rng: damaged_json(GOOD, rng, indent=1),
    ],
)
def test_the_same_seed_gives_the_same_input(make: object) -> None:
    again = [[make(random.Random(seed)) for seed in range(300)] for _ in range(2)]  # type: ignore[operator]
    assert again[0] == again[1]


def test_damaged_inputs_differ_and_leave_the_good_one_alone() -> None:
    before = json.dumps(GOOD)
    made = {damaged_json(GOOD, random.Random(seed)) for seed in range(500)}
    assert len(made) > 400
    assert json.dumps(GOOD) == before
    whole = sum(_is_json(data) for data in made)
    assert 100 < whole < len(made)  # some reach what comes after reading, some do not


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
