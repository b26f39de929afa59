"""What was changed since it was registered is refused in words, and nothing of it runs."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from nrdfer import registry
from nrdfer.core.errors import WeightsError
from nrdfer.registry import tags
from nrdfer.registry.addresses import parse_address
from nrdfer.serving.registered_model import load_registered
from nrdfer.tracking.client import Tracking
from tests.unit.registry.registered import NAME, listed, make_checkpoint, model_folder, register

URI = f"models:/{NAME}/1"


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


@pytest.fixture
def folder(tracking: Tracking, tmp_path: Path) -> Path:
    register(tracking, make_checkpoint(tmp_path / "checkpoint"))
    return model_folder(tracking, "1")


def refused(words: str) -> None:
    """All that opens a version refuses it."""
    for way in (registry.open_version, registry.find_weights, load_registered):
        with pytest.raises(WeightsError, match=words):
            way(URI)


def test_weights_that_were_replaced_by_a_pickle(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    (folder / "artifacts" / "last.safetensors").write_bytes(pickle.dumps(Bomb(mark)))
    refused(r"refused, and nothing of it was loaded: artifacts/last\.safetensors has the sha256 \w{12}, not \w{12}")
    assert not mark.exists()


def test_a_version_that_mlflow_would_unpickle(folder: Path, tmp_path: Path) -> None:
    """MLflow's description of the version can name a pickle as the model; it is a file like any other."""
    mark = tmp_path / "executed"
    (folder / "python_model.pkl").write_bytes(pickle.dumps(Bomb(mark)))
    described = (folder / "MLmodel").read_text()
    unpickling = "loader_module: mlflow.pyfunc.model\n    python_model: python_model.pkl"
    (folder / "MLmodel").write_text(described.replace("loader_module: nrdfer.serving.loader", unpickling))
    refused("MLmodel has the sha256 .*python_model.pkl was not registered")
    assert not mark.exists()


def test_a_file_that_was_added_and_one_that_is_gone(folder: Path) -> None:
    (folder / "artifacts" / "extra.json").write_text("{}")
    (folder / "model_card.md").unlink()
    refused(r"model_card\.md is missing; artifacts/extra\.json was not registered")


def test_a_link_that_leads_out_of_the_folder(folder: Path, tmp_path: Path) -> None:
    weights = folder / "artifacts" / "last.safetensors"
    (tmp_path / "elsewhere").write_bytes(weights.read_bytes())  # even with the right content
    weights.unlink()
    weights.symlink_to(tmp_path / "elsewhere")
    refused(r"artifacts/last\.safetensors is a link that leads elsewhere")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "artifacts/../../x", "a\\..\\b"])
def test_a_list_that_climbs_out_of_the_folder(tracking: Tracking, folder: Path, name: str) -> None:
    files = {**listed(tracking, "1"), name: "0" * 64}
    tracking.client.set_model_version_tag(NAME, "1", tags.FILES, json.dumps(files))
    refused("names .* which is outside its folder")


def test_a_version_whose_files_lie_elsewhere(tracking: Tracking, folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    known = tracking.client.get_model_version(NAME, "1").tags
    climbing = f"{folder.as_uri()}/../../../../elsewhere"
    for source in (copy.as_uri(), climbing):
        version = _version_at(tracking, source, known)
        with pytest.raises(WeightsError, match="outside the folder of this project's models"):
            registry.open_version(f"models:/{NAME}/{version}", tracking)


def _version_at(tracking: Tracking, source: str, known: dict[str, str]) -> str:
    """A version as somebody could write it into the database, past the checks of MLflow's interface."""
    from mlflow.tracking import MlflowClient

    client: MlflowClient = tracking.client
    store = client._get_registry_client().store
    return str(store.create_model_version(NAME, source, None, [_tag(k, v) for k, v in known.items()]).version)


def _tag(key: str, value: str) -> object:
    from mlflow.entities.model_registry import ModelVersionTag

    return ModelVersionTag(key, value)


def test_a_version_that_somebody_else_registered(tracking: Tracking, folder: Path) -> None:
    tracking.client.delete_model_version_tag(NAME, "1", tags.FILES)
    refused("it has no list of its files .* was not registered by this project")


def test_served_weights_of_another_hash_are_refused_by_the_model_itself(folder: Path, tmp_path: Path) -> None:
    """`mlflow models serve` knows nothing of the registered list; the wrapper checks what it loads."""
    import mlflow

    mark = tmp_path / "executed"
    (folder / "artifacts" / "last.safetensors").write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(WeightsError, match=r"is refused: its sha256 is \w{12}, but it was registered with"):
        mlflow.pyfunc.load_model(str(folder))
    assert not mark.exists()


def test_a_changed_checkpoint_of_the_store_is_refused(tmp_path: Path) -> None:
    from nrdfer.store import Store

    made = make_checkpoint(tmp_path / "made")

    def build(out: Path) -> dict[str, int]:
        for path in made.iterdir():
            (out / path.name).write_bytes(path.read_bytes())
        return {}

    found = Store(tmp_path / "store").build("dfew/fd1/checkpoint", code_version="1", config={}, inputs={}, build=build)
    weights = found.path / "last.safetensors"
    assert registry.find_weights(str(found.path))[1] == weights
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(WeightsError, match=r"is damaged: last\.safetensors has other content"):
        registry.find_weights(str(found.path))


@pytest.mark.parametrize("name", ["last.safetensors", "model.json"])
def test_a_changed_file_of_a_training_of_the_users_is_refused(tmp_path: Path, name: str) -> None:
    """A folder that ``nrdfer train`` filled has no manifest, and a note of what was made in it."""
    from nrdfer.core.own_files import write_made

    made, folder = make_checkpoint(tmp_path / "made"), tmp_path / "filled"
    for path in made.iterdir():
        write_made(folder / path.name, path.read_bytes())
    assert registry.find_weights(str(folder))[1] == folder / "last.safetensors"
    content = bytearray((folder / name).read_bytes())
    content[-3] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(WeightsError, match=rf"filled is damaged: {name} was changed since nrdfer made it"):
        registry.find_weights(str(folder))
    for path in made.iterdir():  # the user's own, of which there is no note
        (tmp_path / "own").mkdir(exist_ok=True)
        (tmp_path / "own" / path.name).write_bytes((folder / path.name).read_bytes())
    assert registry.find_weights(str(tmp_path / "own"))


@pytest.mark.parametrize(
    "text", ["models:/", "models:/a", "models:/a/b", "models:/../1", "models:a/1", "models:/a/1/../2", "models:/a@"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(WeightsError, match="write models:/NAME/VERSION or models:/NAME@ALIAS"):
        parse_address(text)


def test_an_unknown_version_is_named(tracking: Tracking) -> None:
    with pytest.raises(WeightsError, match="no model models:/nowhere@champion in this project's registry"):
        registry.open_version("models:/nowhere@champion", tracking)
