"""The store: whole or not at all, whatever happens to the step that builds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nrdfer.core.errors import StoreError
from nrdfer.store import MANIFEST, Artifact, Store, digest_of, file_sha256
from tests.unit.store.building import Writer, make, visible


def test_build_publishes_files_and_manifest_and_runs_once(tmp_path: Path) -> None:
    store, build = Store(tmp_path), Writer()
    first = make(store, build, lr=0.1)
    again = make(store, build, lr=0.1)
    assert (first.up_to_date, again.up_to_date, build.runs) == (False, True, 1)
    assert first.path == again.path == tmp_path / "dfew" / "fd1" / "checkpoint" / first.digest
    manifest = json.loads((first.path / MANIFEST).read_text())
    assert manifest.pop("seal") == digest_of(manifest)
    assert manifest == dict(first.manifest) == dict(again.manifest)
    assert manifest["files"]["sub/b.txt"] == {"bytes": 1, "sha256": file_sha256(first.path / "sub" / "b.txt")}
    assert set(manifest["files"]) == {"a.bin", "sub/b.txt"}
    assert (manifest["bytes"], manifest["counts"], manifest["config"]) == (1001, {"files": 2}, {"lr": 0.1})
    assert manifest["provenance"]["python"].startswith("3.")
    identity = {"asset": "dfew/fd1/checkpoint", "code_version": "1", "config": {"lr": 0.1}, "inputs": {"x": "0" * 64}}
    assert first.digest == digest_of(identity)


def test_every_part_of_the_identity_makes_another_artefact(tmp_path: Path) -> None:
    store = Store(tmp_path)
    base = store.digest("a", "1", {"lr": 1}, {"x": "0"})
    others = [
        store.digest("b", "1", {"lr": 1}, {"x": "0"}),
        store.digest("a", "2", {"lr": 1}, {"x": "0"}),
        store.digest("a", "1", {"lr": 2}, {"x": "0"}),
        store.digest("a", "1", {"lr": 1}, {"x": "1"}),
    ]
    assert len({base, *others}) == 5


@pytest.mark.parametrize("asset", ["", "/a", "a/", "a//b", "../a", "a b", ".work"])
def test_asset_names_that_would_leave_the_store_are_refused(tmp_path: Path, asset: str) -> None:
    with pytest.raises(ValueError, match="asset name"):
        make(Store(tmp_path), Writer(), asset)


def test_a_failing_step_leaves_nothing_and_its_error_is_unchanged(tmp_path: Path) -> None:
    def fails(out: Path) -> Mapping[str, Any]:
        (out / "half").write_text("half")
        raise FileNotFoundError(2, "No such file or directory", "/corpus/missing.avi")

    with pytest.raises(FileNotFoundError, match=r"missing\.avi"):
        make(Store(tmp_path), fails)
    assert visible(tmp_path) == []
    build = Writer()
    make(Store(tmp_path), build)
    assert build.runs == 1


def test_a_step_may_not_write_the_manifest(tmp_path: Path) -> None:
    def claims(out: Path) -> Mapping[str, Any]:
        (out / MANIFEST).write_text("{}")
        return {}

    with pytest.raises(ValueError, match=MANIFEST):
        make(Store(tmp_path), claims)
    assert visible(tmp_path) == []


def test_open_and_find(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one, two = make(store, Writer(), lr=1), make(store, Writer(), lr=2)
    make(store, Writer(), "dfew/fd1")  # an asset whose folder holds the other asset's folder
    assert [artifact.digest for artifact in store.find("dfew/fd1/checkpoint")] == [one.digest, two.digest]
    assert len(store.find("dfew/fd1")) == 1
    assert store.find("never/made") == []
    assert store.open("dfew/fd1/checkpoint", one.digest).manifest["config"] == {"lr": 1}
    with pytest.raises(StoreError, match=r"is not in .* run the step"):
        store.open("dfew/fd1/checkpoint", "0" * 64)


def test_work_folder_survives_a_failure_and_goes_after_publication(tmp_path: Path) -> None:
    store = Store(tmp_path)
    found: list[list[str]] = []

    def build(work: Path, out: Path) -> Mapping[str, Any]:
        found.append(sorted(path.name for path in work.iterdir()))
        (work / f"epoch-{len(found)}").write_text("")
        if len(found) < 3:
            raise RuntimeError("crash")
        (out / "done").write_text("")
        return {}

    def run() -> Artifact:
        return store.build_resumable("train", code_version="1", config={}, inputs={}, build=build)

    for _ in range(2):
        with pytest.raises(RuntimeError, match="crash"):
            run()
    artifact = run()
    assert found == [[], ["epoch-1"], ["epoch-1", "epoch-2"]]
    assert not store.workdir("train", artifact.digest).exists()
    # a crash between publication and cleaning leaves the work folder; the next call removes it
    store.workdir("train", artifact.digest).mkdir(parents=True)
    assert run().up_to_date
    assert not store.workdir("train", artifact.digest).exists()
