from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nrdfer.errors import StoreError
from nrdfer.pointers import Pointers
from nrdfer.store import Artifact, Store


def make(store: Store, seed: int) -> Artifact:
    def build(out: Path) -> dict[str, int]:
        (out / "a.txt").write_text(str(seed))
        return {"seed": seed}

    return store.build("one/asset", code_version="1", config={"seed": seed}, inputs={}, build=build)


def test_a_name_stands_for_the_artefact_it_was_pointed_at_last(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    pointers = Pointers(store, tmp_path / "pointers")
    assert pointers.get("one/asset") is None
    for seed in (1, 2):
        pointers.set("one/asset", make(store, seed))
    found = pointers.get("one/asset")
    assert found is not None
    assert found.manifest["counts"] == {"seed": 2}


def test_a_name_whose_artefact_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    pointers = Pointers(store, tmp_path / "pointers")
    artifact = make(store, 1)
    pointers.set("x", artifact)
    shutil.rmtree(artifact.path)
    with pytest.raises(StoreError):
        pointers.get("x")
