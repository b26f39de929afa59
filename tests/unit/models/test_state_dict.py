from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nrdfer.core.errors import WeightsError
from nrdfer.enhance.checkpoints import load_generator
from nrdfer.faces.load_detector import load_detector
from nrdfer.models.saved_model import load_weights, write_weights
from nrdfer.models.state_dict import read_state_dict
from nrdfer.weights.catalogue import sample_weights

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


NAMES = {"body.conv.weight": torch.ones(2, 2), "head.bias": torch.zeros(2)}


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "module.",
        "_orig_mod.",
        "model.",
        "net.",
        "module._orig_mod.",
        "_orig_mod.module.",
        "model.module._orig_mod.",
    ],
)
@pytest.mark.parametrize(
    "wrappers",
    [(), ("state_dict",), ("model_state_dict",), ("model",), ("model", "state_dict"), ("net", "module", "params")],
)
def test_wrappers_and_prefixes_of_every_training_are_taken_off(
    tmp_path: Path, prefix: str, wrappers: tuple[str, ...]
) -> None:
    content: dict[str, Any] = {prefix + name: value for name, value in NAMES.items()}
    for wrapper in wrappers:
        content = {"epoch": 3, wrapper: content, "optimizer": {"state": {}}}
    found = read_state_dict(save(content, tmp_path / "w.pth"))
    assert found.keys() == NAMES.keys()
    assert all(torch.equal(found[name], value) for name, value in NAMES.items())


def test_parts_of_a_network_that_were_compiled_alone_are_found(tmp_path: Path) -> None:
    content = {"body._orig_mod.conv.weight": torch.ones(2, 2), "module.head.bias": torch.zeros(2)}
    assert read_state_dict(save(content, tmp_path / "w.pth")).keys() == {"body.conv.weight", "head.bias"}


def test_a_tensor_with_and_without_a_prefix_is_refused_and_neither_wins(tmp_path: Path) -> None:
    content = {"a.b": torch.ones(1), "_orig_mod.a.b": torch.zeros(1)}
    with pytest.raises(WeightsError, match="holds the same tensor twice"):
        read_state_dict(save(content, tmp_path / "w.pth"))


@pytest.mark.parametrize("load", [load_detector, load_generator])
def test_a_misfit_names_missing_and_unexpected_tensors(tmp_path: Path, load: Callable[..., object]) -> None:
    names = {f"stranger{i}.weight": torch.ones(1) for i in range(50)} | {"conv1_1.weight": torch.ones(4, 4, 3, 3)}
    settings = {"convention": "pytorch_retinaface"} if load is load_detector else {}
    with pytest.raises(
        WeightsError, match=r"tensors are missing \(.*, \.\.\.\); \d+ of the file's 51 are unex"
    ) as caught:
        load(save(names, tmp_path / "w.pth"), **settings)
    assert "stranger0.weight, stranger1.weight, stranger10.weight" in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("shape", [(0, 4, 3, 3), (200_000, 4, 3, 3)])
def test_a_generator_of_absurd_width_takes_no_memory(tmp_path: Path, shape: tuple[int, ...]) -> None:
    stretched = torch.zeros(1).expand(shape)  # one number that claims to be millions
    with pytest.raises(WeightsError, match="does not hold EnlightenGAN's generator"):
        load_generator(save({"conv1_1.weight": stretched}, tmp_path / "w.pth"))


def test_an_archive_that_grows_when_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("archive/data/0", "w") as part:
        for _ in range(200):
            part.write(bytes(1 << 20))
    with pytest.raises(WeightsError, match=r"compressed archive of .* bytes that would take 209,715,200"):
        read_state_dict(path)


@pytest.mark.slow
def test_a_detector_saved_from_a_compiled_network_finds_the_same_faces(tmp_path: Path) -> None:
    plain = load_detector(sample_weights("retinaface"))
    names = {f"_orig_mod.module.{name}": value for name, value in plain.net.state_dict().items()}
    path = save({"model_state_dict": names}, tmp_path / "w.pth")
    again = load_detector(path, convention=plain.convention.name, self_test=False)
    assert all(torch.equal(a, b) for a, b in zip(plain.net.parameters(), again.net.parameters(), strict=True))


def test_weights_of_a_training_saved_from_a_compiled_network_are_loaded(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 3)
    write_weights(tmp_path / "w.safetensors", {f"_orig_mod.{k}": v for k, v in model.state_dict().items()})
    other = torch.nn.Linear(2, 3)
    load_weights(other, tmp_path / "w.safetensors")
    assert torch.equal(model.weight, other.weight)
    with pytest.raises(WeightsError, match=r"1 of 1 tensors are missing \(weight\).*2 of the file's 2 are unex|shape"):
        load_weights(torch.nn.Linear(4, 3), tmp_path / "w.safetensors")
