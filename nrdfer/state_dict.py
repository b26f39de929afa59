"""Reading a state dict (names and tensors) out of a ``.pth``, never running what a file may hold besides.

Which names a network wants belongs to the modules that own the networks; where published files come from and how
their content is pinned, to `nrdfer.weights`.
"""

from __future__ import annotations

import pickle
import pickletools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nrdfer.errors import WeightsError

#: How torch's reader of tensors says what else a file would have run.
_REFUSED = re.compile(r"GLOBAL ([\w.]+)")
_HARMLESS = ("collections", "torch")  # where the names that stored tensors need come from


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.pth`` by name, on the CPU.

    A wrapper ``{"state_dict": ...}``, as of a training's checkpoint, is taken off, and so is the prefix ``module.``
    that a network wrapped for several devices gives to its names.

    Raises:
        WeightsError: the file cannot be read, holds code to run, or is no state dict.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damage shows as whatever the reader stumbles over: struct.error, IndexError, ...
        code = _code_in(path, str(error))
        if code is not None:
            raise WeightsError(
                f"{path} holds code to run ({code}), not only tensors, and is refused; nothing of it was run. Get the "
                "published file, or have whoever made this one save the network's state_dict() alone"
            ) from error
        raise WeightsError(
            f"{path} cannot be read as a torch state dict ({_reason(error)}); it may be cut short or another kind of "
            "file: get it again"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} does not hold a state dict (names and tensors) but a {type(content).__name__}")
    for name, value in content.items():
        if not isinstance(value, Tensor):
            raise WeightsError(
                f"{path} does not hold a state dict (names and tensors): {name!r} is a {type(value).__name__}"
            )
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _reason(error: Exception) -> str:
    # torch's message about pickles advises to load the file without this protection: it is not repeated
    advice = isinstance(error, pickle.UnpicklingError) or not str(error)
    return type(error).__name__ if advice else str(error).splitlines()[0]


def _code_in(path: Path, message: str) -> str | None:
    """The name of what a refused file would have run; None if it was refused for another reason."""
    if refused := _REFUSED.search(message):
        name = refused.group(1)
        if f"\n{name.split('.')[-1]}\n".encode() in path.read_bytes():  # where a file was cut stands part of a name
            return name
    if "TorchScript" in message:
        return "a TorchScript program"
    return _named_in_pickle(path)


def _named_in_pickle(path: Path) -> str | None:
    """The same for pickles of protocols at which torch's reader stops before it comes to a name."""
    strings: list[str] = []
    try:
        with path.open("rb") as file:
            for opcode, argument, _ in pickletools.genops(file):  # reads, runs nothing
                if opcode.name in ("GLOBAL", "INST"):
                    strings += str(argument).split(" ", 1)
                elif opcode.name != "STACK_GLOBAL":
                    strings += [argument] if isinstance(argument, str) else []
                    continue
                module, name = strings[-2:]
                if module.split(".")[0] not in _HARMLESS:
                    return f"{module}.{name}"
    except (ValueError, OSError, LookupError, EOFError):
        return None  # no pickle at all, or damaged before any such name
    return None
