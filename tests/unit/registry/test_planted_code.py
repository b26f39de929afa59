"""Code that somebody puts into a version's folder never runs: it is refused, or nothing there is looked at."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import marshal
import os
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nrdfer import registry
from nrdfer.core.errors import WeightsError
from nrdfer.registry import tags, verified_open
from nrdfer.serving.registered_model import load_registered
from nrdfer.store import file_sha256
from nrdfer.tracking.client import Tracking
from tests.unit.registry.registered import NAME, make_checkpoint, model_folder, register
from tests.unit.registry.test_verified_open import Bomb

pytestmark = pytest.mark.slow

URI = f"models:/{NAME}/1"
_CODE = """from mlflow.models import set_model

from nrdfer.serving.emotion_model import EmotionModel

set_model(EmotionModel())
"""


class Planted:
    """A registered version, and the file that code planted in its folder would make."""

    def __init__(self, folder: Path, elsewhere: Path) -> None:
        self.folder = folder
        self.elsewhere = elsewhere
        self.mark = elsewhere / "executed"

    @property
    def code(self) -> str:
        """Source that leaves the mark."""
        return f"open({str(self.mark)!r}, 'w').close()\n"

    def bomb(self) -> bytes:
        return pickle.dumps(Bomb(self.mark))

    def describe(self, **flavour: Any) -> None:
        """Change what MLflow is told of the version."""
        place = self.folder / "MLmodel"
        told = yaml.safe_load(place.read_text())
        told["flavors"]["python_function"] |= flavour
        place.write_text(yaml.safe_dump(told))

    def list_again(self) -> None:
        """As if the database had been changed as well: what lies there is what was registered."""
        files = {p.relative_to(self.folder).as_posix(): file_sha256(p) for p in self.folder.rglob("*") if p.is_file()}
        Tracking().client.set_model_version_tag(NAME, "1", tags.FILES, json.dumps(files))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, fresh_database: Path) -> Iterator[tuple[Path, Path]]:
    """A project with one version, and a copy of it to begin each test with."""
    folder = tmp_path_factory.mktemp("planted")
    shutil.copy(fresh_database, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NRDFER_HOME", str(folder))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracking = Tracking()
        register(tracking, make_checkpoint(folder / "checkpoint"))
        version = model_folder(tracking, "1")
        shutil.copytree(version, folder / "as registered")
        shutil.copy(folder / "mlflow.db", folder / "mlflow.db as registered")
        yield folder, version


@pytest.fixture
def planted(home: tuple[Path, Path], tmp_path: Path) -> Planted:
    folder, version = home
    shutil.rmtree(version)
    shutil.copytree(folder / "as registered", version)
    shutil.copy(folder / "mlflow.db as registered", folder / "mlflow.db")
    return Planted(version, tmp_path)


def refused(planted: Planted, words: str) -> None:
    for way in (registry.open_version, registry.find_weights, load_registered):
        with pytest.raises(WeightsError, match=words):
            way(URI)
    assert not planted.mark.exists()


def answers(planted: Planted) -> None:
    """It loads, and answers, without running anything of the folder."""
    clip = np.zeros((1, 16, 3, 32, 32), np.float32)
    assert load_registered(URI).predict({"clip": clip})["emotion"].notna().all()
    assert not planted.mark.exists()


def _compiled(planted: Planted, source: Path, target: Path) -> None:
    """A cache that Python takes for the source's, by the time and size in its head."""
    told = source.stat()
    head = importlib.util.MAGIC_NUMBER + b"\0" * 4
    head += int(told.st_mtime).to_bytes(4, "little") + told.st_size.to_bytes(4, "little")
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(head + marshal.dumps(compile(planted.code + _CODE, str(source), "exec")))


def test_load_registered_runs_no_compiled_code_beside_checked_sources(planted: Planted) -> None:
    """A version as earlier releases registered it: its folder has the code that MLflow loads it by."""
    source = planted.folder / "model_from_code.py"
    if not source.exists():
        source.write_text(_CODE)
        planted.describe(loader_module="mlflow.pyfunc.loaders.code_model", model_code_path=source.name)
        planted.list_again()
    answers(planted)
    _compiled(planted, source, Path(importlib.util.cache_from_source(str(source))))
    with contextlib.suppress(WeightsError):
        load_registered(URI)
    assert not planted.mark.exists()
    refused(planted, r"__pycache__/model_from_code\.\S+ was not registered \(Python writes such folders")


def test_a_version_brings_no_code(planted: Planted) -> None:
    assert not [path for path in planted.folder.rglob("*") if path.suffix in (".py", ".pyc", ".pkl", ".so")]
    told = yaml.safe_load((planted.folder / "MLmodel").read_text())["flavors"]["python_function"]
    assert (told["loader_module"], told["data"], told.get("code")) == ("nrdfer.serving.loader", "artifacts", None)


@pytest.mark.parametrize(
    "name", ["sitecustomize.py", "usercustomize.py", "conftest.py", "evil.pth", "artifacts/json.py"]
)
def test_files_that_python_or_pytest_would_run_on_their_own(planted: Planted, name: str) -> None:
    text = planted.code if name.endswith(".py") else f"import os; {planted.code}"
    (planted.folder / name).write_text(text)
    refused(planted, "was not registered")


def test_a_link_to_a_folder_of_code(planted: Planted) -> None:
    (planted.elsewhere / "nrdfer").mkdir()
    (planted.elsewhere / "nrdfer" / "__init__.py").write_text(planted.code)
    (planted.folder / "code").symlink_to(planted.elsewhere, target_is_directory=True)
    refused(planted, "code was not registered")


def test_the_artefacts_are_a_link_to_another_folder(planted: Planted) -> None:
    shutil.move(planted.folder / "artifacts", planted.elsewhere / "artifacts")
    (planted.folder / "artifacts").symlink_to(planted.elsewhere / "artifacts", target_is_directory=True)
    refused(planted, "is a link that leads elsewhere")


def test_a_folder_that_mlflow_would_put_on_the_path(planted: Planted) -> None:
    (planted.folder / "code").mkdir()
    (planted.folder / "code" / "planted_loader.py").write_text(planted.code)
    planted.describe(code="code", loader_module="planted_loader")
    refused(planted, r"MLmodel has the sha256 .*code/planted_loader\.py was not registered")
    assert "planted_loader" not in sys.modules


def test_a_description_that_names_other_code_even_if_the_list_was_changed_too(planted: Planted) -> None:
    (planted.folder / "code").mkdir()
    (planted.folder / "code" / "planted_loader.py").write_text(planted.code)
    planted.describe(code="code", loader_module="planted_loader", data="..")
    (planted.folder / "python_model.pkl").write_bytes(planted.bomb())
    planted.list_again()
    answers(planted)
    assert "planted_loader" not in sys.modules


@pytest.mark.parametrize("name", ["conda.yaml", "python_env.yaml", "requirements.txt"])
def test_an_environment_that_would_be_installed(planted: Planted, name: str) -> None:
    with (planted.folder / name).open("a") as file:
        file.write("\nevil @ file:///tmp/evil\n")
    refused(planted, f"{name} has the sha256".replace(".", r"\."))


@pytest.mark.parametrize(
    "name", ["artifacts/nrdfer.abi3.so", "artifacts/Model.json", "mlmodel", "artifacts/model.js\u006fn\u0301"]
)
def test_names_that_are_almost_registered_and_libraries(planted: Planted, name: str) -> None:
    (planted.folder / name).write_bytes(planted.bomb())
    refused(planted, "was not registered")


def test_a_list_with_names_that_differ_by_case_only(planted: Planted) -> None:
    (planted.folder / "artifacts" / "MODEL.json").write_bytes(planted.bomb())
    planted.list_again()
    refused(planted, "names that differ by case or spelling only")


def test_a_hard_link_from_outside_with_another_content(planted: Planted) -> None:
    weights = planted.folder / "artifacts" / "last.safetensors"
    (planted.elsewhere / "bomb").write_bytes(planted.bomb())
    weights.unlink()
    weights.hardlink_to(planted.elsewhere / "bomb")
    refused(planted, r"artifacts/last\.safetensors has the sha256")


@pytest.mark.parametrize("name", ["waits", "artifacts/model.json"])
def test_a_pipe_that_would_wait_for_ever(planted: Planted, name: str) -> None:
    (planted.folder / name).unlink(missing_ok=True)
    os.mkfifo(planted.folder / name)
    refused(planted, r"waits was not registered|model\.json is missing")


def _by_pickle(planted: Planted) -> None:
    (planted.folder / "artifacts" / "last.safetensors").write_bytes(planted.bomb())


def _by_pipe(planted: Planted) -> None:
    (planted.folder / "artifacts" / "model.json").unlink()
    os.mkfifo(planted.folder / "artifacts" / "model.json")


def _by_link(planted: Planted) -> None:
    place = planted.folder / "artifacts" / "model.json"
    shutil.move(place, planted.elsewhere / "model.json")
    place.symlink_to(planted.elsewhere / "model.json")


@pytest.mark.parametrize("exchange", [_by_pickle, _by_pipe, _by_link])
def test_a_file_that_is_exchanged_between_check_and_use(
    planted: Planted, exchange: Callable[[Planted], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = verified_open.file_problems

    def late(folder: Path, listed: dict[str, str]) -> list[str]:
        found = looked(folder, listed)
        exchange(planted)
        return found

    monkeypatch.setattr(verified_open, "file_problems", late)
    with pytest.raises(WeightsError, match=r"was exchanged while|not a plain file any more|cannot be read any more"):
        load_registered(URI)
    assert not planted.mark.exists()


def test_what_is_planted_where_mlflow_itself_loads_is_not_run_either(planted: Planted) -> None:
    """`mlflow models serve` knows no list; but a version names code of this package only."""
    import mlflow

    for name in ("sitecustomize.py", "conftest.py", "model_from_code.py", "artifacts/loader.py"):
        (planted.folder / name).write_text(planted.code)
    _compiled(planted, planted.folder / "model_from_code.py", planted.folder / "__pycache__" / "loader.cpython-311.pyc")
    clip = np.zeros((1, 16, 3, 32, 32), np.float32)
    assert len(mlflow.pyfunc.load_model(str(planted.folder)).predict({"clip": clip})) == 1
    assert not planted.mark.exists()
    (planted.folder / "artifacts" / "last.safetensors").write_bytes(planted.bomb())
    with pytest.raises(WeightsError, match="is refused: its sha256 is"):
        mlflow.pyfunc.load_model(str(planted.folder))
    assert not planted.mark.exists()
