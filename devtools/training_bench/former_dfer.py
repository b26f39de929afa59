"""Former-DFER as its authors released it, from a folder that the user gives; no line of it is in this repository.

Its layout: ``models/ST_Former.py`` defines ``GenerateModel``, made without arguments, which takes clips (B, 16, 3, 112,
112) and answers with logits (B, 7); it imports its neighbours as ``models.X``. The folder's code runs with the user's
rights, as any program that a user starts.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

_PACKAGE, _MODULE, _CLASS = "models", "ST_Former", "GenerateModel"
_FRAMES, _SIDE, _CLASSES = 16, 112, 7


class NotFormerDferError(ValueError):
    """The folder does not hold the released code, or it does not work here."""


def load_former_dfer(folder: Path) -> nn.Module:
    """The network of the released code, with new weights of the generator's present state.

    Raises:
        NotFormerDferError: the folder has another layout, its code fails, or its network takes or gives other shapes.
    """
    file = folder / _PACKAGE / f"{_MODULE}.py"
    if not file.is_file():
        raise NotFormerDferError(
            f"{folder} does not hold {_PACKAGE}/{_MODULE}.py; give the folder of Former-DFER's released code"
        )
    with _package(folder / _PACKAGE):
        try:
            module = importlib.import_module(f"{_PACKAGE}.{_MODULE}")
            network = getattr(module, _CLASS)()
        except Exception as error:  # whatever the user's code raises
            raise NotFormerDferError(f"{file} cannot be used: {type(error).__name__}: {error}") from error
    if not isinstance(network, nn.Module):
        raise NotFormerDferError(f"{_CLASS} of {file} is a {type(network).__name__}, not a torch.nn.Module")
    _check(network, file)
    return network


def _check(network: nn.Module, file: Path) -> None:
    state = {name: value.clone() for name, value in network.state_dict().items()}
    try:
        with torch.no_grad():
            answer = network.eval()(torch.zeros(1, _FRAMES, 3, _SIDE, _SIDE))
    except Exception as error:
        raise NotFormerDferError(
            f"{_CLASS} of {file} does not take clips (B, {_FRAMES}, 3, {_SIDE}, {_SIDE}): {type(error).__name__}: "
            f"{str(error).splitlines()[0][:200] if str(error) else ''}"
        ) from error
    if not isinstance(answer, torch.Tensor) or answer.shape != (1, _CLASSES):
        shape = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        raise NotFormerDferError(f"{_CLASS} of {file} answers with {shape}, not with logits (B, {_CLASSES})")
    network.load_state_dict(state)
    network.train()


@contextmanager
def _package(folder: Path) -> Iterator[None]:
    """Context in which `models` is that folder, and nothing of it stays loaded by this name."""
    if any(name.split(".")[0] == _PACKAGE for name in sys.modules):
        raise NotFormerDferError(f"a package called {_PACKAGE} is loaded already")
    package = types.ModuleType(_PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[_PACKAGE] = package
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == _PACKAGE]:
            del sys.modules[name]
