"""Network files: one Python file of a user's that defines a network, named as ``my_net.py`` or ``my_net.py:MyNet``.

A file is run only if a user has named it on this machine: then a copy is kept below the project's folder under its
sha256, and a trained model, which records that sha256, is loaded with the copy. The code that is stored beside a
trained model's weights is for reading; it is never run from there.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from nrdfer.core import paths
from nrdfer.core.atomic_files import open_plain, write_whole
from nrdfer.core.errors import PluginError
from nrdfer.core.output_checks import in_words
from nrdfer.core.plain_text import name_text, one_line
from nrdfer.core.plugins import last_line
from nrdfer.core.safe_names import checked_name
from nrdfer.models.trained_files import NETWORK

_LARGEST = 1 << 20  # bytes


@dataclass(frozen=True)
class FileNetwork:
    """A network of a file."""

    name: str  # ``my_net.MyNet``
    title: str  # for messages
    made_by: Any  # class or function
    code: Mapping[str, str]  # ``file``, ``network`` and ``sha256``


def split_reference(reference: str) -> tuple[Path, str] | None:
    """File and network of ``my_net.py:MyNet``, the second empty if it is not named; None if it refers to no file."""
    path, _, name = reference.rpartition(":")
    if not path.endswith(".py"):
        path, name = reference, ""
    if not path.endswith(".py"):
        return None
    try:
        return Path(path).expanduser(), name
    except RuntimeError:  # no such user: the path is reported as it is
        return Path(path), name


def open_named(path: Path, network: str = "") -> FileNetwork:
    """The network of a file that the user names, which is run, and remembered as one that may be run.

    Args:
        path: of the file.
        network: name of a class or function in it; empty if the file defines a single network.

    Raises:
        PluginError: the file cannot be read or run, or does not hold exactly one network.
    """
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    try:
        stem = checked_name(path.stem, "the file")
    except ValueError as error:
        raise PluginError(f"{error}; {name_text(path)} gives its network that name") from error
    module = _run(content, digest, path)
    network = network or _only_network(module, path)
    made_by = _defined(module, network)
    if made_by is None:
        raise PluginError(
            f"{name_text(path)} defines no class or function {one_line(network)!r}; its networks are "
            f"{', '.join(_networks(module)) or 'none'}"
        )
    _keep(content, digest)
    if network not in _networks(module):
        _approve(digest, network)
    code = {"file": f"{stem}.py", "network": network, "sha256": digest}
    return FileNetwork(f"{stem}.{network}", _title(code), made_by, code)


def open_recorded(code: Mapping[str, str]) -> FileNetwork:
    """The network that a record names, from the copy of a file that a user has named here.

    Raises:
        PluginError: no file of that content was named here, or it cannot be run.
    """
    digest, title = code.get("sha256", ""), _title(code)
    content = kept_code(code)
    if content is None:
        raise PluginError(
            f"the {title} with sha256 {one_line(digest[:64])} is needed, and no file of that content was named here. "
            "Code that comes with a model is not run unasked: read it (network.py beside the weights), and if you "
            "trust it, run `nrdfer models --model-file MODEL` with the model's folder or models:/ address, or the file"
        )
    module = _run(content, digest, _kept(digest))
    network = code.get("network", "")
    made_by = _defined(module, network)
    if made_by is None:
        raise PluginError(f"the {title} is needed, but the file defines none of that name; the model's record is wrong")
    if network not in _networks(module) and network not in _approved(digest):  # a record may name any function of it
        raise PluginError(
            f"the {title} is needed, which is no class of networks, and nobody named it here. If you trust it, run "
            f"`nrdfer models --model-file FILE.py:{one_line(network[:80])}` with that file, or `--model-file MODEL` "
            "with the model's folder or models:/ address"
        )
    stem = Path(code.get("file", "")).stem
    return FileNetwork(f"{stem}.{network}", title, made_by, code)


def allow_stored(folder: Path, code: Mapping[str, str]) -> None:
    """Keep the network file that is stored with a trained model, and its network, as ones that the user has named.

    Args:
        folder: with the model's files.
        code: that the model records.

    Raises:
        PluginError: the model's network is of no file, or the file is not there, or not the recorded one.
    """
    if "file" not in code:
        raise PluginError("the model's network is not defined by a network file, so there is none to allow")
    content = _read(folder / NETWORK)
    digest = hashlib.sha256(content).hexdigest()
    if digest != code.get("sha256"):
        raise PluginError(
            f"{NETWORK} beside the weights has the sha256 {digest[:12]}, but the model records "
            f"{one_line(code.get('sha256', '')[:12])}: it is not the file that made the model, and was not run"
        )
    network = code.get("network", "")
    if not network.isidentifier():  # it becomes a line of the names
        raise PluginError(f"the {_title(code)} has no name that can be one of Python's; the model's record is wrong")
    _keep(content, digest)
    _approve(digest, network)


def kept_code(code: Mapping[str, str]) -> bytes | None:
    """Content of the file behind a record, if a user has named it here; None for another network."""
    digest = code.get("sha256", "")
    if "file" not in code or len(digest) != 64 or not digest.isalnum():
        return None
    try:
        with open_plain(_kept(digest)) as file:
            content = file.read()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == digest else None  # damaged: named again, it is replaced


def _read(path: Path) -> bytes:
    try:
        with open_plain(path) as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise PluginError(
            f"the network file {name_text(path)} cannot be read ({error.strerror}); give the path of a Python file. "
            "Where other machines run the steps, it must be at this path on each of them, or its network in a package"
        ) from error
    if len(content) > _LARGEST:
        raise PluginError(f"{name_text(path)} is larger than {_LARGEST:,} bytes, and no network file; give another")
    return content


def _run(content: bytes, digest: str, path: Path) -> ModuleType:
    """The module of a file's content; run once per process."""
    name = f"nrdfer_network_{digest[:32]}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        exec(compile(content, str(path), "exec"), module.__dict__)  # noqa: S102 - a user named the file to have it run
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise PluginError(
            f"the network file {name_text(path)} cannot be run: {last_line(error)}. Correct it; it can import "
            "installed packages, but no files beside it"
        ) from error
    return module


def _defined(module: ModuleType, name: str) -> Any:
    """The class or function of a name that the file itself defines; None if it defines none."""
    value = vars(module).get(name)
    return value if callable(value) and getattr(value, "__module__", "") == module.__name__ else None


def _networks(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, nn.Module) and not name.startswith("_")
        if value.__module__ == module.__name__ and not inspect.isabstract(value)
    ]


def _only_network(module: ModuleType, path: Path) -> str:
    found = _networks(module)
    if len(found) == 1:
        return found[0]
    example = found[0] if found else "MyNet"
    there = f"defines {len(found)} networks ({', '.join(found)})" if found else "defines no class that is an nn.Module"
    raise PluginError(
        f"{name_text(path)} {there}; name the class or function that is to be trained: {path.name}:{example}"
    )


def _kept(digest: str) -> Path:
    return paths.network_files() / f"{digest}.py"


def _keep(content: bytes, digest: str) -> None:
    if kept_code({"file": "", "sha256": digest}) is None:
        try:
            write_whole(_kept(digest), content)
        except OSError as error:
            raise in_words(_kept(digest), error) from error


def _approved(digest: str) -> list[str]:
    """What a user has named as networks of a kept file; its plain classes of networks need no approval."""
    try:
        return _kept(digest).with_suffix(".names").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError):  # damaged: named again, it is replaced
        return []


def _approve(digest: str, network: str) -> None:
    names, path = _approved(digest), _kept(digest).with_suffix(".names")
    if network not in names:
        try:
            write_whole(path, "".join(f"{name}\n" for name in [*names, network]).encode())
        except OSError as error:
            raise in_words(path, error) from error


def _title(code: Mapping[str, str]) -> str:
    return f"network {one_line(code.get('network', '')[:120])} of {one_line(code.get('file', '')[:120])}"
