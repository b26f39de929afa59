"""Ids of runs, digests, assets, profiles, models, clips and repositories: none of them leads out of its folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub.errors import HFValidationError

from nrdfer.config.resolve import shipped_profiles
from nrdfer.core.errors import CorpusError, NrdferError, StoreError, TrackingError, WeightsError
from nrdfer.core.records import check_clip_id
from nrdfer.core.safe_names import stays_below
from nrdfer.lineage.data import DataWalk
from nrdfer.lineage.hashes import Hashes
from nrdfer.preprocessing.folds import find_split
from nrdfer.registry import tags
from nrdfer.registry.file_lists import listed_files
from nrdfer.registry.verified_open import open_version
from nrdfer.reporting.results import last_results
from nrdfer.store import MANIFEST, Store, read_manifest
from nrdfer.store.pointers import Pointers
from nrdfer.store.receipts import receipt_of, vouched
from nrdfer.store.sealed import sealed
from nrdfer.tracking import pending_uploads
from nrdfer.tracking.log_uploader import RunFacts
from nrdfer.tracking.open_runs import PIPELINES, RUNS
from nrdfer.video.discovery import clip_id_of
from nrdfer.weights import hub

UP = "../../outside"
NAMES = [UP, "../outside", "..", "/etc/hostname", "a/../../../outside", "a\\..\\outside", "a\0b", "\x1b[2J"]
named = pytest.mark.parametrize("name", NAMES, ids=ascii)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project's folder; what lies outside must be the same, and alone, after the test."""
    folder = tmp_path / "a" / "home"
    folder.mkdir(parents=True)
    monkeypatch.setenv("NRDFER_HOME", str(folder))
    monkeypatch.setenv("NRDFER_PROFILES", str(shipped_profiles()))
    victims = [tmp_path / "a" / "outside.json", tmp_path / "outside.json", tmp_path / "outside" / MANIFEST]
    for victim in victims:
        victim.parent.mkdir(exist_ok=True)
        victim.write_text("{}")
    yield folder
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file() and folder not in path.parents) == sorted(
        victims
    )
    assert {victim.read_text() for victim in victims} == {"{}"}


@named
def test_ids_of_runs_make_no_path(home: Path, name: str) -> None:
    for files in (PIPELINES, RUNS):
        for use in (files.read, files.remove, files.change):
            with pytest.raises(TrackingError, match=r"the id of a run '.*' cannot be used as a name"):
                use(name)
        assert list(files) == []


@named
def test_a_trainings_digest_makes_no_path(home: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be used as a name"):
        pending_uploads.take_back(name)
    with pytest.raises(ValueError, match="cannot be used as a name"):
        pending_uploads.leave(RunFacts(name, "fd1"), "", home / "log", "FAILED", 0, 0)


@named
def test_a_pointers_name_makes_no_path(home: Path, name: str) -> None:
    store = Store(home / "store")
    pointers = Pointers(store, home / "reports")
    artifact = store.build("one/asset", code_version="1", config={}, inputs={}, build=lambda out: {})
    assert pointers.get(name) is None  # one that is damaged would be moved away
    with pytest.raises(ValueError, match="cannot be used as a name"):
        pointers.set(name, artifact)


@named
def test_results_of_a_profile_named_like_a_path_are_none(home: Path, name: str) -> None:
    with pytest.raises(NrdferError, match="no results of profile"):
        last_results(name)


@named
def test_assets_and_digests_of_tags_make_no_path(home: Path, name: str) -> None:
    store = Store(home / "store")
    for asset, digest in ((name, "0" * 64), (f"dfew/{name}/checkpoint", "0" * 64), ("dfew/fd1/checkpoint", name)):
        for use in (store.place, store.open, store.is_published):
            with pytest.raises(StoreError, match="cannot name an artefact"):
                use(asset, digest)
        walk = DataWalk(store, Hashes(quick=True))
        (link,) = walk.checkpoint(asset, digest)
        assert "cannot name an artefact" in link.problem and walk.trained_on(asset, digest) == {}
    with pytest.raises(CorpusError, match="there is no split"):
        find_split(None, name)  # type: ignore[arg-type]


def _of_manifest(home: Path, listed: dict[str, Any]) -> None:
    identity = {"asset": "one/asset", "code_version": "1", "config": {}, "inputs": {}}
    digest = Store(home).digest(**identity)  # type: ignore[arg-type]
    told = {**identity, "digest": digest, "counts": {}, "provenance": {}, "files": listed}
    folder = home / digest
    folder.mkdir()
    (folder / MANIFEST).write_text(sealed(told))
    read_manifest(folder)


def _of_receipt(home: Path, listed: dict[str, Any]) -> None:
    receipt_of(home, "clip").write_text(sealed({"files": listed}))
    if vouched(home, "clip") is None:
        raise ValueError("it names no files of its folder")


def _of_version(home: Path, listed: dict[str, Any]) -> None:
    listed_files("models:/x/1", {tags.FILES: json.dumps({name: entry["sha256"] for name, entry in listed.items()})})


@pytest.mark.parametrize("read", [_of_manifest, _of_receipt, _of_version])
@pytest.mark.parametrize("name", [*NAMES[:-1], "", ".."], ids=ascii)
def test_files_that_a_list_names_lie_below_it(
    home: Path, read: Callable[[Path, dict[str, Any]], None], name: str
) -> None:
    entry = {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}  # it would match what lies outside
    with pytest.raises((ValueError, WeightsError), match=r"of its folder|outside its folder"):
        read(home, {name: entry})


def test_ordinary_files_of_lists_stay() -> None:
    assert all(map(stays_below, ["index.json", "sheets/a.jpg", "a b/..c", "...", "\x1b[2J"]))


@pytest.mark.parametrize("name", [UP, "..", "a/b", "x" * 300])
def test_a_server_that_answers_with_another_models_name_gets_no_path(home: Path, name: str) -> None:
    listed = {tags.FILES: json.dumps({"artifacts/model.json": "0" * 64})}
    found = SimpleNamespace(name=name, version="1", run_id="r", tags=listed, source="http://127.0.0.1:9/files")
    client = SimpleNamespace(get_model_version=lambda *_: found)
    tracking = SimpleNamespace(client=client, uri="http://127.0.0.1:9")
    with pytest.raises(WeightsError, match="cannot be copied to this machine"):
        open_version("models:/harmless/1", tracking)  # type: ignore[arg-type]


@named
def test_a_repository_of_the_hub_makes_no_path(monkeypatch: pytest.MonkeyPatch, home: Path, name: str) -> None:
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(home))
    file = hub.HubFile(name, None, "0" * 40, "weights.pt", 1, "0" * 64)
    with pytest.raises(HFValidationError):
        hub.download(file, lambda path: None)
    ordinary = hub.HubFile("somebody/weights", None, "0" * 40, "weights.pt", 1, "0" * 64)
    assert all(place.is_relative_to(home) for place in (ordinary.cached, ordinary.unfinished, ordinary.lock))


@pytest.mark.parametrize("name", [*NAMES[:-2], "\x1b[2J.mp4", "-rf.mp4", "..mp4", "x" * 250 + ".mp4"], ids=ascii)
def test_a_videos_name_makes_a_clips_id_that_is_one_name(name: str) -> None:
    clip_id = clip_id_of(Path(name))
    assert check_clip_id(clip_id) == clip_id and Path("/x", clip_id).parent == Path("/x")
