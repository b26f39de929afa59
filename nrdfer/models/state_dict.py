"""Reading a state dict (names and tensors) from a ``.pth`` without running any code in the file, and fitting it.

Wrappers and name prefixes of trainings (`torch.compile`, data-parallel training, Lightning) are removed. The names that
a network expects belong to the modules that own the networks; where published files come from and how their content is
pinned, to `nrdfer.weights.catalogue`.
"""

from __future__ import annotations

import io
import mmap
import pickle
import pickletools
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import Tensor, nn

from nrdfer.core.errors import WeightsError
from nrdfer.core.plain_text import one_line

#: How torch's reader of tensors says what else a file would have run.
_REFUSED = re.compile(r"GLOBAL ([\w.]+)")
#: Under which a checkpoint may hold the state dict, the likeliest first.
_WRAPPERS = (
    *("state_dict", "model_state_dict", "model_state", "model", "net", "network", "params_ema", "params"),
    *("weights", "module", "generator", "netG", "ema"),
)
#: Parts of names that stand for a wrapper, wherever they are.
_WRAPPING = frozenset(("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"))
#: First parts of names that stand for a wrapper if every name begins with them; ``module`` does in any case.
_OWNERS = frozenset(("model", "net", "network", "generator", "netG", "detector"))
_DEPTH = 6
_NAMED = 4  # keys that a message names
_SPARE = 64 << 20
_LONGEST_TEXT = 2_000
_LEGACY_PICKLES = 5  # one behind the other, and then the tensors' bytes
_HARMLESS = ("collections", "torch")  # where the names that stored tensors need come from


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.pth`` by name, on the CPU.

    Wrappers as ``{"state_dict": ...}`` or ``{"model": {"state_dict": ...}}``, as of a training's checkpoint, are taken
    off, and so are prefixes as ``module.`` and ``_orig_mod.`` (`plain_names`).

    Raises:
        WeightsError: the file cannot be read, holds code to run, or is no state dict.
    """
    _refuse_packed(path)
    _refuse_long_texts(path)
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damage raises many kinds of error: struct.error, IndexError, ...
        code = _code_in(path, str(error))
        if code is not None:
            raise WeightsError(
                f"{path} holds code to run ({code}), not only tensors, and is refused; nothing of it was run. Get the "
                "published file, or ask its author to save only the network's state_dict()"
            ) from error
        raise WeightsError(
            f"{path} cannot be read as a torch state dict ({_reason(error)}); it may be cut short or another kind of "
            "file: get it again"
        ) from error
    content = _unwrapped(content)
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} does not hold a state dict (names and tensors) but a {type(content).__name__}")
    for name, value in content.items():
        if not isinstance(value, Tensor):
            raise WeightsError(
                f"{path} does not hold a state dict (names and tensors): '{_short(name)}' is a {type(value).__name__}"
            )
    return plain_names({str(name): value for name, value in content.items()}, path)


def _unwrapped(content: Any) -> Any:
    for _ in range(_DEPTH):
        inner = (content.get(key) for key in _WRAPPERS) if isinstance(content, Mapping) else ()
        found = next((value for value in inner if isinstance(value, Mapping)), None)
        if found is None:
            break
        content = found
    return content


def plain_names(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The same tensors by their names in the network itself, without wrappers' prefixes.

    Raises:
        WeightsError: two tensors would have one name.
    """
    parts = {name: [part for part in name.split(".") if part not in _WRAPPING] for name in tensors}
    while parts and all(len(rest) > 1 for rest in parts.values()):
        first = {rest[0] for rest in parts.values()}
        wrapping = first if len(first) == 1 and first <= _OWNERS else first & {"module"}
        if not wrapping:
            break
        parts = {name: rest[1:] if rest[0] in wrapping else rest for name, rest in parts.items()}
    plain = {".".join(rest): tensors[name] for name, rest in parts.items()}
    if len(plain) != len(tensors):
        raise WeightsError(
            f"{path} holds the same tensor twice, with and without a wrapper's prefix (module., _orig_mod.): save the "
            "network's state_dict() alone"
        )
    return plain


def fitted(make: Callable[[], nn.Module], tensors: Mapping[str, Tensor], path: Path, what: str) -> Any:
    """A network with exactly these weights.

    Args:
        make: builds the network; its shapes are compared before memory is taken for it.
        tensors: of `read_state_dict` or `plain_names`.
        path: where they come from, for messages.
        what: the network, for messages.

    Raises:
        WeightsError: weights are missing, unexpected, or of another shape; the message names a few of each.
    """
    try:
        with torch.device("meta"):
            wanted = {name: tuple(value.shape) for name, value in make().state_dict().items()}
    except ValueError as error:
        raise WeightsError(f"{path} does not hold {what}: {error}") from error
    mismatch = misfit(wanted, tensors)
    if mismatch:
        raise WeightsError(f"{path} does not hold {what}: {mismatch}")
    network = make()
    try:
        network.load_state_dict(dict(tensors), strict=True)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise WeightsError(f"{path} does not hold {what}: {_short(str(error))}") from error
    return network


def misfit(wanted: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Tensor]) -> str:
    """Differences of tensors from a network's names and shapes: a few of each kind; empty if they fit."""
    missing, unexpected = wanted.keys() - tensors.keys(), tensors.keys() - wanted.keys()
    other = {name for name in wanted.keys() & tensors.keys() if tuple(tensors[name].shape) != wanted[name]}
    mismatch = [
        f"{len(names)} {problem} ({_few(names)})"
        for names, problem in (
            (missing, f"of {len(wanted)} tensors are missing"),
            (unexpected, f"of the file's {len(tensors)} are unexpected"),
            ({f"{name} {list(tensors[name].shape)} for {list(wanted[name])}" for name in other}, "have another shape"),
        )
        if names
    ]
    return "; ".join(mismatch)


def _few(names: Iterable[str]) -> str:
    every = sorted(names)
    return ", ".join(map(_short, every[:_NAMED])) + (", ..." if len(every) > _NAMED else "")


def _short(name: object) -> str:
    return one_line(str(name)[:120])


def _refuse_packed(path: Path) -> None:
    """Refuse a zip that expands when it is read; what `torch.save` writes is not compressed."""
    try:
        with zipfile.ZipFile(path) as file:
            unpacked = sum(entry.file_size for entry in file.infolist())
        size = path.stat().st_size
    except Exception:  # no zip, or a damaged one: reading it reports that
        return
    if unpacked > 2 * size + _SPARE:
        raise WeightsError(
            f"{path} is a compressed archive of {size:,} bytes that would take {unpacked:,}; that is no file of "
            "torch.save: get the published file"
        )


def _refuse_long_texts(path: Path) -> None:
    """Refuse a pickle with a text of many thousand letters: torch's reader quotes it, and searches it for minutes."""
    problem = _long_text(path)
    if problem:
        raise WeightsError(
            f"{path} cannot be read as a torch state dict ({problem}); it may be cut short or another kind of file: "
            "get it again"
        )


def _long_text(path: Path) -> str:
    try:
        for pickled in _pickles(path):
            for _, argument, _ in pickletools.genops(cast(IO[bytes], pickled)):  # reads, runs nothing
                if isinstance(argument, str | bytes) and len(argument) > _LONGEST_TEXT:
                    return f"a text of {len(argument):,} letters in it"
    except ValueError as error:
        return "a name in it has no end" if "newline" in str(error) else ""
    except (OSError, LookupError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error):
        pass  # damaged before any such text, or no pickle: reading it reports that
    return ""


def _pickles(path: Path) -> Iterator[io.BytesIO | mmap.mmap]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".pkl"):
                    yield io.BytesIO(archive.read(name))
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for _ in range(_LEGACY_PICKLES):
            yield mapped  # which gives no more than there is, however much a pickle claims


def _reason(error: Exception) -> str:
    # torch's message about pickles advises to load the file without this protection: it is not repeated
    advice = isinstance(error, pickle.UnpicklingError) or not str(error)
    return type(error).__name__ if advice else str(error).splitlines()[0]


def _code_in(path: Path, message: str) -> str | None:
    """Name of the code that a refused file would have run; None if it was refused for another reason."""
    if refused := _REFUSED.search(message):
        name = refused.group(1)
        if f"\n{name.split('.')[-1]}\n".encode() in path.read_bytes():  # a file that was cut may end within a name
            return name
    if "TorchScript" in message:
        return "a TorchScript program"
    return _named_in_pickle(path)


def _named_in_pickle(path: Path) -> str | None:
    """As `_code_in`, for pickles of protocols at which torch's reader stops before it reaches a name."""
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
    except (ValueError, OSError, LookupError, EOFError, MemoryError):
        return None  # no pickle at all, or damaged before any such name
    return None
