from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from nrdfer.enhance.checkpoints import load_generator
from nrdfer.errors import WeightsError
from nrdfer.faces.detector import load_detector
from nrdfer.state_dict import read_state_dict

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(5000)}


class Marker:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


class Opener(Marker):
    """The same by a name of another kind: a function."""

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.path), "w")


def save(content: object, path: Path, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def same(found: dict[str, Tensor]) -> bool:
    return found.keys() == TENSORS.keys() and all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


@FORMATS
def test_names_and_tensors_however_they_are_wrapped(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "w.pth"
    prefixed = {f"module.{name}": tensor for name, tensor in TENSORS.items()}
    for content in (TENSORS, prefixed, {"state_dict": TENSORS, "epoch": 3}, {"state_dict": prefixed}):
        assert same(read_state_dict(save(content, path, zipped)))


@FORMATS
@pytest.mark.parametrize("kind", [Marker, Opener])
@pytest.mark.parametrize("load", [read_state_dict, load_detector, load_generator])
def test_code_is_named_and_never_run(tmp_path: Path, load, kind: type[Marker], zipped: bool) -> None:
    mark = tmp_path / "mark"
    path = save({**TENSORS, "more": kind(mark)}, tmp_path / "w.pth", zipped)
    settings = {"convention": "pytorch_retinaface"} if load is load_detector else {}
    with pytest.raises(WeightsError, match=r"w\.pth holds code to run \([\w.]+\).*refused") as caught:
        load(path, **settings)
    assert not mark.exists()
    assert "weights_only" not in str(caught.value)  # no advice to run it after all
    torch.load(path, weights_only=False)  # the file is what it is meant to be
    assert mark.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_in_a_plain_pickle_of_any_protocol(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "mark"
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps({"more": Opener(mark)}, protocol))
    with pytest.raises(WeightsError, match=r"holds code to run \(\w+\.open\)"):
        read_state_dict(path)
    assert not mark.exists()


@pytest.mark.filterwarnings("ignore:.*TorchScript archive:UserWarning")
def test_a_whole_network_is_code_too(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds code to run \(torch\.nn\.modules\.linear\.Linear\)"):
        read_state_dict(save(torch.nn.Linear(2, 2), tmp_path / "w.pth"))
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "program.pth")
    with pytest.raises(WeightsError, match="holds code to run"):
        read_state_dict(tmp_path / "program.pth")


@FORMATS
def test_a_cut_file_is_called_so_wherever_it_was_cut(tmp_path: Path, zipped: bool) -> None:
    path = save(TENSORS, tmp_path / "w.pth", zipped)
    whole = path.read_bytes()
    for kept in [*range(600), len(whole) // 4, len(whole) // 2, len(whole) - 10]:  # most of the readers' ways to fail
        path.write_bytes(whole[:kept])
        with pytest.raises(WeightsError, match=r"w\.pth cannot be read as a torch state dict \(.+\); it may be cut"):
            read_state_dict(path)


@pytest.mark.parametrize(
    "data",
    [b"<!DOCTYPE html><html>sign in</html>", b"something else", np.random.default_rng(0).bytes(5000)],
    ids=["a web page", "text", "noise"],
)
def test_other_files_are_not_taken_for_code(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="another kind of file") as caught:
        read_state_dict(path)
    assert "weights_only" not in str(caught.value)


def test_the_systems_own_words_are_kept(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="Is a directory"):
        read_state_dict(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (torch.zeros(3), "but a Tensor"),
        ([torch.zeros(3)], "but a list"),
        ({"a": torch.zeros(3), "epoch": 3}, "'epoch' is a int"),
        ({"state_dict": {"a": [1.0]}}, "'a' is a list"),
    ],
)
def test_tensors_without_names_are_no_state_dict(tmp_path: Path, content: object, told: str) -> None:
    with pytest.raises(WeightsError, match=rf"does not hold a state dict.*{told}"):
        read_state_dict(save(content, tmp_path / "w.pth"))
