"""What names a training: its forms keep their bytes, so that what was trained once is found again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from nrdfer.config.noise import NoiseSettings
from nrdfer.config.profile import Profile
from nrdfer.config.recipe import RECIPES
from nrdfer.noise.training import NoiseTraining
from nrdfer.shards.split import Split
from nrdfer.store import Store, digest_of, file_sha256
from nrdfer.training.key import TrainingKey, differences, key_of, key_of_profile, listed
from nrdfer.training.request import TrainingRequest, request_of
from nrdfer.training.step_keys import training_step
from tests.unit.training.tiny import ENGINE, RECIPE, SETTINGS

PROFILE = Profile.read(
    {
        "name": "fixed",
        "description": "",
        "model_preset": "sample",
        "model_settings": {"temporal_depth": 2, "widths": [4, 6, 8]},
        "dfew_recipe": {"name": "sample", "epochs": 2, "augment": {"flip": 0.25}},
        "engine": {"device": "cpu", "threads": 3, "devices": 2, "workers": 7},
    },
    "profile fixed",
)
SPLIT = Split("fd1", "dfew", Path("shards"), ("00003", "00001", "00002"), ("00005", "00004"))
SHARDS, CHECKPOINT = "ab" * 32, "cd" * 32


def _request(folder: Path, *, initial: bool = True) -> TrainingRequest:
    weights = folder / "initial.safetensors"
    weights.write_bytes(b"weights")
    return request_of(PROFILE, SPLIT, folder / "work", folder / "out", initial_weights=weights if initial else None)


@pytest.mark.parametrize(
    ("initial", "digest"),
    [
        (None, "3c525f97ed649932aa7140900443f3d2f72fb2f348fd232785138ae5385fcf36"),
        (CHECKPOINT, "a93897fa85cb2a894f8cb54fdd29f1538a4e6e9c16127ad9cca2a28fa18af039"),
    ],
)
def test_an_artefact_keeps_its_name(tmp_path: Path, initial: str | None, digest: str) -> None:
    assert training_step(PROFILE, SPLIT, SHARDS, initial).digest(Store(tmp_path)) == digest


@pytest.mark.parametrize(
    ("initial", "digest"),
    [
        (False, "96ae10e1f9e1696af98b05e407526eb525e0def8f5a5be495c6289e2a5404055"),
        (True, "3e5e421112c2c02bd6e8406bdc700b836db6d3da673014b3eda80ecc4603c82a"),
    ],
)
def test_a_users_folder_keeps_its_settings(tmp_path: Path, initial: bool, digest: str) -> None:
    settings = key_of(_request(tmp_path, initial=initial), SHARDS).settings()
    assert list(settings) == ["model", "model_settings", "recipe", "engine", "shards", "clips", "initial"]
    assert digest_of(settings) == digest


@pytest.mark.parametrize(
    ("initial", "digest"),
    [
        (False, "e6d5f5ac7691a0a3bab8f337df04e6639a1778d2a672f2a2531c70f0c3a8bf37"),
        (True, "779b7be4db5df2dd71b5d841e12425193c60239b63db99cfdb84f04ae4c692c4"),
    ],
)
def test_a_checkpoint_keeps_its_identity(tmp_path: Path, initial: bool, digest: str) -> None:
    identity = key_of(_request(tmp_path, initial=initial)).checkpoint_identity()
    assert digest_of(identity) == digest
    assert identity["clips to test on"] == "226bb9a9f6b8018f"
    assert identity["network"]["widths"] == [4, 6, 8]


def test_a_training_of_the_noise_benchmark_keeps_its_configuration() -> None:
    settings = NoiseSettings(recipe=dataclasses.replace(RECIPES["sample"], epochs=2))
    assert (
        digest_of(NoiseTraining("dsf-dct", 1, settings, ENGINE).config())
        == "cf143b3c18f530ef3e365efa5b9e244c88db4615e4b238d1d55f9a503edf0173"
    )


def test_a_request_and_its_profile_have_one_key(tmp_path: Path) -> None:
    request = _request(tmp_path)
    assert request.initial_weights is not None
    assert key_of(request, SHARDS) == key_of_profile(PROFILE, SPLIT, SHARDS, file_sha256(request.initial_weights))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "c3d"),
        ("model_settings", {**SETTINGS, "dropout": 0.2}),
        ("recipe", {**RECIPE.to_dict(), "lr": 0.5}),
        ("engine", {**ENGINE.numerics(), "threads": 9}),
        ("train_ids", ("a",)),
        ("test_ids", ("d",)),
        ("initial", CHECKPOINT),
        ("shards", "ef" * 32),
    ],
)
def test_every_part_counts_and_the_order_of_the_clips_does_not(name: str, value: Any) -> None:
    key = TrainingKey("nr-dfernet", SETTINGS, RECIPE.to_dict(), ENGINE.numerics(), ("a", "b"), ("c",), SHARDS)
    other = dataclasses.replace(key, **{name: value})
    assert other.settings() != key.settings()
    # shards may be written anew: clips of the same content are the same training
    assert (other.checkpoint_identity() == key.checkpoint_identity()) == (name == "shards")
    turned = dataclasses.replace(key, train_ids=("b", "a"))
    assert turned.settings() == key.settings()
    assert turned.checkpoint_identity() == key.checkpoint_identity()


def test_differences_in_words() -> None:
    there, here = {"recipe": {"lr": 0.05}, "model": "c3d"}, {"recipe": {"lr": 0.04}, "model": "c3d", "shards": "ab"}
    assert differences(there, here) == ["recipe.lr is 0.05 there, 0.04 here", "shards is not set there, ab here"]
    assert listed([str(number) for number in range(8)]) == "0; 1; 2; 3; 4; 5; and 2 more"


def test_a_stream_names_its_order_and_nothing_else_of_how_it_is_read(tmp_path: Path) -> None:
    def keys(**data: Any) -> tuple[str, str, dict[str, Any]]:
        profile = PROFILE.changed(data=data) if data else PROFILE
        request = request_of(profile, SPLIT, tmp_path / "work", tmp_path / "out")
        key = key_of(request, SHARDS)
        digest = training_step(profile, SPLIT, SHARDS).digest(Store(tmp_path))
        assert TrainingRequest.from_json(request.to_json(), "request.json").data == request.data
        return digest, digest_of(key.settings()), key.checkpoint_identity()

    indexed, stream = keys(), keys(reader="stream", streams=2)
    assert keys(reader="indexed", streams=9) == indexed
    assert all(one != other for one, other in zip(indexed, stream, strict=True))
    assert keys(reader="stream", streams=2, source="s3://bucket/prefix", ahead=3) == stream
    for changed in ({"streams": 4}, {"streams": 2, "buffer": 7}):
        assert all(one != other for one, other in zip(keys(reader="stream", **changed), stream, strict=True))
    (found,) = [text for text in differences(indexed[2], stream[2]) if "data.reader" in text]
    assert found == "data.reader is not set there, stream here"
