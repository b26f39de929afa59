"""Manifests of models on the hub: what is read back, and which files may not be named in one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nrdfer.core.errors import WeightsError
from nrdfer.weights.hub_manifest import HubManifest, ManifestFile, read_hub_manifest

WHOLE = HubManifest("nr-dfernet", ("happiness", "neutral"), {"model.json": ManifestFile(3, "0" * 64)})


def test_a_manifest_is_read_back() -> None:
    assert read_hub_manifest(WHOLE.to_json(), "there") == WHOLE


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("weights.pth", {"bytes": 3, "sha256": "0" * 64}),
        ("../model.json", {"bytes": 3, "sha256": "0" * 64}),
        ("folder/model.json", {"bytes": 3, "sha256": "0" * 64}),
        (".model.json", {"bytes": 3, "sha256": "0" * 64}),
        ("nrdfer.json", {"bytes": 3, "sha256": "0" * 64}),
        ("model.json", {"bytes": 0, "sha256": "0" * 64}),
        ("model.json", {"bytes": True, "sha256": "0" * 64}),
        ("model.json", {"bytes": 1 << 40, "sha256": "0" * 64}),
        ("model.json", {"bytes": 3, "sha256": "0" * 63}),
        ("model.json", {"bytes": 3}),
        ("model.json", 3),
    ],
)
def test_a_file_that_may_not_be_in_it_is_refused(name: str, entry: Any) -> None:
    content = {**json.loads(WHOLE.to_json()), "files": {name: entry}}
    with pytest.raises(WeightsError, match=r"nrdfer.json of there does not list a model's files"):
        read_hub_manifest(json.dumps(content).encode(), "there")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"schema": 2}', b"[" * 100_000])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(WeightsError, match="not written by `nrdfer push`"):
        read_hub_manifest(data, "there")
