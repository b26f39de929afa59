"""Damaged profiles: settings that have a digest, or an error in words; no hang, and no memory to speak of."""

from __future__ import annotations

import random
from pathlib import Path

from nrdfer.config.profile import Profile
from nrdfer.config.resolve import resolve_profile, shipped_profiles
from nrdfer.core.safe_names import checked_name
from nrdfer.corpora.dfew import DFEW
from nrdfer.store.pointers import config_digest
from nrdfer.training.request import network_settings
from tests.fuzz.harness import fuzz
from tests.fuzz.mutate import TOKENS, damaged_bytes, damaged_text, damaged_value

YAML = (
    b"&a [*a]", b"&a {b: *a}", b"<<: *a", b": .nan", b": .inf", b": 2026-01-01", b": !!binary aGVsbG8=",
    b": !!set {a, b}", b"? [a]\n: b", b"1: 2\n", b"true: x\n", b"a: &x [1]\nb: *x\n", b"- " * 3000,
    b"".join(b"a%d: &a%d [%s]\n" % (i, i, b"*a%d" % (i - 1 if i else 0) * 9) for i in range(12)),
    b"a0: &a0 [x]\n" + b"".join(b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 12)),
    b"x" * 300_000, b": 1:1:1:1:1", b"!!python/name:os.system ",
)  # fmt: skip


def use(profile: Profile) -> None:
    """What the first steps of a run make of a profile."""
    checked_name(profile.name, "profile")
    config_digest(profile)
    network_settings(profile, DFEW)


def test_a_damaged_profile_gives_settings_or_words(tmp_path: Path) -> None:
    good = [path.read_bytes() for path in sorted(shipped_profiles().glob("*.yaml"))]
    path = tmp_path / "x.yaml"

    def make(rng: random.Random) -> bytes:
        data = damaged_bytes(good, rng)
        if rng.random() < 0.4:
            at = rng.choice([i for i, byte in enumerate(data) if byte == 10] or [0])
            data = data[:at] + b"\n" + rng.choice(YAML + TOKENS) + b"\n" + data[at:]
        return data.decode(errors="replace").encode(rng.choice(("utf-8", "utf-8", "utf-16", "latin-1")), "replace")

    def run(data: bytes) -> None:
        path.write_bytes(data)
        use(resolve_profile("x", tmp_path))

    tally = fuzz("profiles", make, run, slower=4)
    assert tally.words and tally.results


def test_damaged_overrides_and_names_give_settings_or_words() -> None:
    good = {
        "name": "mine", "align": {"size": 112, "margin": 0.1}, "corpora": {"rendered": True, "render": {"seed": 1}},
        "dfew_recipe": {"name": "sample", "epochs": 3}, "engine": {"precision": "fp32"}, "noise": {"preset": "tiny"},
        "model": "nr-dfernet", "model_settings": {}, "experiments": {"recipes": {"c3d": {"epochs": 1}}},
    }  # fmt: skip

    def make(rng: random.Random) -> tuple[str, object]:
        name = damaged_text("sample", rng) if rng.random() < 0.2 else "sample"
        return name, damaged_value(good, rng) if rng.random() < 0.95 else good

    def run(given: tuple[str, object]) -> None:
        use(resolve_profile(given[0], shipped_profiles(), overrides=given[1]))  # type: ignore[arg-type]

    tally = fuzz("overrides and names of profiles", make, run)
    assert tally.words and tally.results
