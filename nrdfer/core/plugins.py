"""Plug-ins: networks and detectors of other installed packages, found by the names of their entry points.

Nothing of a package is imported before its plug-in is requested by name or all are listed, and packages are searched
only for a name that is no built-in one. What a plug-in must be belongs to ``nrdfer.models`` and ``nrdfer.faces``.
"""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from nrdfer.core.coerce import brief
from nrdfer.core.errors import PluginError, ProfileError
from nrdfer.core.module_files import source_files
from nrdfer.core.plain_text import one_line
from nrdfer.core.safe_names import checked_name

NETWORKS, DETECTORS = "nrdfer.models", "nrdfer.detectors"  # groups of entry points
#: Record of the code behind a plug-in: ``package``, ``version`` and ``sha256`` of its sources; empty for built-in code.
Code = Mapping[str, str]
_INSTALLABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")  # a package's name, or its version
_KINDS = {NETWORKS: "network", DETECTORS: "detector"}
_SETTINGS = {NETWORKS: "model", DETECTORS: "detector"}  # of a profile, that names one
_OURS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Plugin:
    """One network or detector of an installed package."""

    name: str
    group: str
    package: str
    version: str
    entry: EntryPoint = field(repr=False)

    @property
    def title(self) -> str:
        """For messages: ``network mean-frames of face-nets 1.0``."""
        return f"{_KINDS[self.group]} {self.name} of {self.package} {self.version}"

    def code(self) -> dict[str, str]:
        """The record of its code; nothing is imported.

        Raises:
            PluginError: the entry point names a module that is not there.
        """
        return {"package": self.package, "version": self.version, "sha256": self._sources()}

    def load(self) -> Any:
        """Import the package; the object that the entry point names.

        Raises:
            PluginError: it cannot be imported; with the last line of the import's own traceback.
        """
        try:
            return self.entry.load()
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{self.title} cannot be imported ({self.entry.value}): {last_line(error)}. Repair or upgrade the "
                f"package {self.package}, or uninstall it"
            ) from error

    def _sources(self) -> str:
        """Digest of all Python files of the distribution, which an unchanged version number does not cover."""
        top = self.entry.module.partition(".")[0]
        files = source_files(top, self.entry.dist)
        if files is None:
            raise PluginError(
                f"{self.title} is in the module {one_line(self.entry.module)}, which is not there; install "
                f"{self.package} again"
            )
        digest = hashlib.sha256()
        for name, path in sorted(files):
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Found:
    """The plug-ins of a group by name, and by name, what is wrong with those that cannot be used."""

    plugins: Mapping[str, Plugin]
    problems: Mapping[str, str]


def find_plugins(group: str, built_in: Collection[str]) -> Found:
    """All plug-ins of installed packages; none is imported.

    Args:
        group: of entry points: `NETWORKS` or `DETECTORS`.
        built_in: names that no package can have.
    """
    named: dict[str, list[Plugin]] = {}
    for entry in entry_points(group=group):
        package, version = ("an unknown package", "") if entry.dist is None else (entry.dist.name, entry.dist.version)
        named.setdefault(entry.name, []).append(Plugin(entry.name, group, one_line(package), one_line(version), entry))
    usable, problems = {}, {}
    for name, plugins in sorted(named.items()):
        problem = _problem(name, plugins, built_in)
        if problem:
            problems[name] = problem
        else:
            usable[name] = plugins[0]
    return Found(usable, problems)


def find_plugin(group: str, name: str, built_in: Collection[str]) -> Plugin:
    """The plug-in of a name that is no built-in one.

    Raises:
        ProfileError: no installed package has it; says what there is.
        PluginError: several have it.
    """
    found = find_plugins(group, built_in)
    if name in found.problems:
        raise PluginError(found.problems[name])
    if name not in found.plugins:
        raise ProfileError(
            f"there is no {_SETTINGS[group]} {brief(name)}; known are {', '.join([*built_in, *found.plugins])}. One of "
            f"another package needs that package installed (entry points {group})"
        )
    return found.plugins[name]


def recorded_plugin(group: str, name: str, code: Code, built_in: Collection[str]) -> Plugin:
    """The plug-in that a record names, if it is installed as it was then.

    Raises:
        PluginError: it is not installed, or with another version or other sources.
    """
    package, version = code.get("package", "")[:120], code.get("version", "")[:120]
    if not (_INSTALLABLE.fullmatch(package) and _INSTALLABLE.fullmatch(version)):  # they become part of a command
        raise PluginError(
            f"the {_KINDS[group]} {one_line(name[:120])!r} is recorded as of the package {one_line(package)!r}, "
            f"version {one_line(version)!r}, which cannot be; the model's record is wrong"
        )
    what = f"{_KINDS[group]} {one_line(name[:120])!r} of the package {package} {version}"
    found = find_plugins(group, built_in)
    plugin = found.plugins.get(name)
    if plugin is None or plugin.package != package:
        there = found.problems.get(name) or (f"here, {plugin.title} has that name" if plugin else "it is not installed")
        raise PluginError(f"the {what} is needed, and {there}. Install it: pip install '{package}=={version}'")
    if plugin.version != version:
        raise PluginError(
            f"the {what} is needed, but version {plugin.version} is installed, which may compute otherwise. Install "
            f"that version: pip install '{package}=={version}'; or make the model again"
        )
    if plugin.code()["sha256"] != code.get("sha256"):
        raise PluginError(
            f"the {what} is needed, and that version is installed, but with other source files (sha256 "
            f"{plugin.code()['sha256'][:12]}, recorded {code.get('sha256', '')[:12]}). Install the sources of then, or "
            "make the model again"
        )
    return plugin


def _problem(name: str, plugins: list[Plugin], built_in: Collection[str]) -> str:
    kind, group = _KINDS[plugins[0].group], plugins[0].group
    packages = " and ".join(f"{plugin.package} {plugin.version}" for plugin in plugins)
    if name in built_in:
        return (
            f"{packages} gives a {kind} the name {name}, which a built-in one has: the built-in one is used. Ask the "
            f"package's author for another name (entry points {group}), or uninstall it"
        )
    if len(plugins) > 1:
        return (
            f"{packages} both give a {kind} the name {one_line(name)}: neither is used. Uninstall one, or ask its "
            f"author for another name (entry points {group})"
        )
    try:
        checked_name(name, f"the {kind} of {packages},")
    except ValueError as error:
        return f"{error} (entry points {group})"
    return ""


def last_line(error: BaseException) -> str:
    """The last line of an error's traceback, and where in a plug-in it was raised, for a message."""
    line = one_line(traceback.format_exception_only(error)[-1].strip()[:300])
    if isinstance(error, SyntaxError) and error.filename:
        return f"{line} ({one_line(Path(error.filename).name)}, line {error.lineno})"
    places = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and not {"torch", "importlib"} & set(Path(frame.filename).parts)
        and not Path(frame.filename).is_relative_to(_OURS)
    ]
    return f"{line} ({one_line(Path(places[-1].filename).name)}, line {places[-1].lineno})" if places else line
