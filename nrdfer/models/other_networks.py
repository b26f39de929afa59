"""Entries of networks that are not this project's: of other packages, by their entry points, and of a user's file.

A network is a class or a function that returns a plain ``nn.Module``, or a subclass of `ClipNetwork` with settings and
presets of its own. How packages are found belongs to `nrdfer.core.plugins`, how a file is run to `network_file`.
"""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections.abc import Collection, Mapping
from typing import Any

from nrdfer.core.errors import PluginError
from nrdfer.core.plugins import NETWORKS, Code, Plugin, find_plugin, last_line, recorded_plugin
from nrdfer.models.base import ClipNetwork, NetworkSettings
from nrdfer.models.entry import Entry
from nrdfer.models.network_file import FileNetwork, open_named, open_recorded, split_reference
from nrdfer.models.wrapped_network import ByCode, WrappedNetwork, settings_of

_PRESETS = ("paper", "sample")  # those that the profiles use


def find_other(reference: str, built_in: Collection[str]) -> Entry:
    """The entry of a network that a user names: a name of another package's, ``my_net.py`` or ``my_net.py:MyNet``.

    Raises:
        ProfileError: there is none.
        PluginError: it cannot be loaded.
    """
    in_file = split_reference(reference)
    if in_file is not None:
        return _of_file(open_named(*in_file))
    return entry_of(find_plugin(NETWORKS, reference, built_in))


def recorded(name: str, code: Code, built_in: Collection[str]) -> Entry:
    """The entry of the network that a record names, of exactly the code that is recorded.

    Raises:
        PluginError: that code is not here, or cannot be loaded.
    """
    if "file" in code:
        return _of_file(open_recorded(code))
    return entry_of(recorded_plugin(NETWORKS, name, code, built_in))


def entry_of(plugin: Plugin) -> Entry:
    """The entry of a package's network, which is imported.

    Raises:
        PluginError: it cannot be imported, or is no network.
    """
    return _entry(plugin.name, plugin.title, plugin.load(), plugin.code(), in_file=False)


def _of_file(network: FileNetwork) -> Entry:
    return _entry(network.name, network.title, network.made_by, network.code, in_file=True)


def _entry(name: str, title: str, made_by: Any, code: Code, *, in_file: bool) -> Entry:
    if not callable(made_by) or inspect.ismodule(made_by):
        raise PluginError(f"the {title} is a {type(made_by).__name__}; it must be a class or a function")
    if isinstance(made_by, type) and issubclass(made_by, ClipNetwork):
        presets = _presets(made_by, title)
        network = type(made_by.__name__, (ByCode, made_by), {}) if in_file else made_by
        return Entry(name, functools.partial(_built, network, title), presets, code=code, name=name)
    settings = settings_of(made_by, title)
    presets = dict.fromkeys(_PRESETS, _default(settings, title))
    build = functools.partial(WrappedNetwork, make=made_by, title=title)
    return Entry(name, build, presets, code=code, name=name)


def _built(network: type[ClipNetwork], title: str, settings: NetworkSettings) -> ClipNetwork:
    try:
        return network(settings)
    except ValueError:  # of a setting, as built-in networks raise
        raise
    except Exception as error:
        raise PluginError(f"the {title} cannot be built with {settings}: {last_line(error)}") from error


def _presets(network: type[ClipNetwork], title: str) -> Mapping[str, NetworkSettings]:
    """``PRESETS`` of the network's module; without them, its settings' defaults."""
    module = sys.modules[network.__module__]
    given = getattr(module, "PRESETS", None)
    if isinstance(given, Mapping) and all(isinstance(preset, NetworkSettings) for preset in given.values()) and given:
        return given
    if given is not None:
        raise PluginError(f"PRESETS beside the {title} must be a dict from names to settings (NetworkSettings)")
    try:
        kind = typing.get_type_hints(network)["settings"]
    except Exception as error:
        raise PluginError(f"the settings of the {title} cannot be found: {last_line(error)}; annotate them") from error
    return dict.fromkeys(_PRESETS, _default(kind, title))


def _default(settings: type[NetworkSettings], title: str) -> NetworkSettings:
    try:
        return settings()
    except (TypeError, ValueError) as error:
        raise PluginError(f"the {title} has defaults that are not valid: {error}") from error
