from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from nrdfer.config.profile import Profile
from nrdfer.config.settings import merge
from nrdfer.core.errors import StoreError
from nrdfer.store import Artifact, Store
from nrdfer.store.exchange import push
from nrdfer.store.pointers import Pointers, made_with
from nrdfer.store.project import project_store


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


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b'{"asset": "../x", "digest": "0"}', b'{"asset": 1, "digest": null}', b"[" * 100_000],
)
def test_a_damaged_pointer_is_set_aside_in_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    pointers = Pointers(Store(tmp_path / "store"), tmp_path / "pointers")
    artifact = make(pointers.store, 1)
    pointers.set("x", artifact)
    path = tmp_path / "pointers" / "x.json"
    path.write_bytes(content)
    assert pointers.get("x") is None
    assert f"{path} is damaged" in caplog.text
    assert [aside.read_bytes() for aside in (path.parent / ".damaged").iterdir()] == [content]
    pointers.set("x", artifact)
    assert pointers.get("x") is not None


def test_a_folder_in_the_place_of_a_pointer_is_set_aside(tmp_path: Path) -> None:
    pointers = Pointers(Store(tmp_path / "store"), tmp_path / "pointers")
    (tmp_path / "pointers" / "x.json" / "inside").mkdir(parents=True)
    assert pointers.get("x") is None
    pointers.set("x", make(pointers.store, 1))
    assert pointers.get("x") is not None


def test_a_name_whose_artefact_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    pointers = Pointers(store, tmp_path / "pointers")
    artifact = make(store, 1)
    pointers.set("x", artifact)
    shutil.rmtree(artifact.path)
    with pytest.raises(StoreError):
        pointers.get("x")


PAPER = {"name": "paper", "description": "", "weights": {"retinaface": "sample", "enlightengan": "sample"}}


def test_what_was_made_while_the_bucket_was_away_is_pushed_for_other_folders_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "one"))
    one = made_with(Profile.read(merge(PAPER, {"corpora": {"dfew_root": "/here/DFEW"}}), "profile paper"))
    one.set("dfew/shards", make(one.store, 1))
    (tmp_path / "bucket").mkdir()
    monkeypatch.setenv("NRDFER_STORE_URL", f"file://{tmp_path}/bucket")
    assert [verdict.asset for verdict in push(project_store())] == ["one/asset"]
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "two"))
    assert made_with(Profile.read(PAPER, "profile paper")).get("dfew/shards") is not None


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"corpora": {"dfew_root": "/here/DFEW"}, "weights": {"folder": "/w"}, "workers": 8, "chunk_clips": 9}, True),
        ({"shards": {"jpeg_quality": 80}}, False),
        ({"corpora": {"rendered": True}}, False),
        ({"corpora": {"rendered": True, "dfew_root": "/here/DFEW"}}, False),
    ],
)
def test_another_machine_finds_what_was_made_with_other_folders_and_processes(
    tmp_path: Path, changes: dict[str, Any], same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bucket").mkdir()
    monkeypatch.setenv("NRDFER_STORE_URL", f"file://{tmp_path}/bucket")
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "one"))
    one = made_with(Profile.read(merge(PAPER, changes), "profile paper"))
    one.set("dfew/shards", make(one.store, 1))
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "two"))
    assert (made_with(Profile.read(PAPER, "profile paper")).get("dfew/shards") is not None) is same
