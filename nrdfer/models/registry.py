"""All networks by name: presets, published figures, and the way from a name and settings to a network.

A network's design belongs to its own file; what it costs is counted in ``costs``. Networks of other packages and of
users' files are searched only for a name that is not in `MODELS` (``other_networks``).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from nrdfer.config.settings import build_settings
from nrdfer.core.coerce import brief
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import ProfileError
from nrdfer.core.plugins import Code
from nrdfer.models import nrdfernet
from nrdfer.models.base import ClipNetwork, NetworkSettings
from nrdfer.models.baselines import (
    c3d,
    ec_stfl,
    former_dfer,
    i3d,
    p3d,
    r2plus1d,
    reslstm,
    resnet3d,
    resnet18_gru,
    resnet18_lstm,
    vgg11_lstm,
    video_resnet,
)
from nrdfer.models.baselines import resnet3d_center_loss as center_loss
from nrdfer.models.entry import Entry
from nrdfer.models.names import TITLES
from nrdfer.models.network_file import split_reference
from nrdfer.models.other_networks import find_other, recorded
from nrdfer.models.wrapped_network import ByCode

MODELS: Mapping[str, Entry] = {
    "nr-dfernet": Entry(TITLES["nr-dfernet"], nrdfernet.NRDFERNet, nrdfernet.PRESETS, (1, 2, 3, 4, 5), 6.33),
    "c3d": Entry(TITLES["c3d"], c3d.C3D, c3d.PRESETS, (4, 5), 38.57),
    "p3d": Entry(
        TITLES["p3d"], p3d.P3D, p3d.PRESETS, (5,), None, "the paper prints n/a; its P3D is not specified further"
    ),
    "r2plus1d-18": Entry(TITLES["r2plus1d-18"], r2plus1d.R2Plus1D, r2plus1d.PRESETS, (4, 5), 42.36),
    "r3d-18": Entry(TITLES["r3d-18"], resnet3d.ResNet3D, resnet3d.PRESETS, (4, 5), 8.32),
    "i3d-rgb": Entry(TITLES["i3d-rgb"], i3d.I3D, i3d.PRESETS, (4, 5), 6.99),
    "vgg11-lstm": Entry(TITLES["vgg11-lstm"], vgg11_lstm.VGG11LSTM, vgg11_lstm.PRESETS, (5,), 31.65),
    "resnet18-lstm": Entry(TITLES["resnet18-lstm"], resnet18_lstm.ResNet18LSTM, resnet18_lstm.PRESETS, (4, 5), 7.78),
    "resnet18-gru": Entry(TITLES["resnet18-gru"], resnet18_gru.ResNet18GRU, resnet18_gru.PRESETS, (4, 5), 7.78),
    "r3d-18-center-loss": Entry(
        TITLES["r3d-18-center-loss"], center_loss.ResNet3DCenterLoss, center_loss.PRESETS, (5,), 8.32
    ),
    "ec-stfl": Entry(TITLES["ec-stfl"], ec_stfl.ECSTFL, ec_stfl.PRESETS, (4, 5), 8.32),
    "former-dfer": Entry(
        TITLES["former-dfer"],
        former_dfer.FormerDFER,
        former_dfer.PRESETS,
        (4, 5),
        9.11,
        "the design its authors released counts less than they printed",
    ),
    # Forms that DFEW's authors ran, beside those that fit the published costs (`nrdfer.experiments.authors`).
    "r3d-18-torchvision": Entry(TITLES["r3d-18-torchvision"], video_resnet.R3D18, video_resnet.PRESETS),
    "r2plus1d-18-torchvision": Entry(TITLES["r2plus1d-18-torchvision"], video_resnet.R2Plus1D18, video_resnet.PRESETS),
    "reslstm": Entry(TITLES["reslstm"], reslstm.ResLSTM, reslstm.PRESETS),
}


def find_model(name: str) -> Entry:
    """The entry of a network that a user names: of `MODELS`, of another package, or a file as ``my_net.py:MyNet``.

    Raises:
        ProfileError: there is none; the message lists all.
        PluginError: another package's network, or a file's, cannot be loaded.
    """
    if name in MODELS:
        return MODELS[name]
    return find_other(name, MODELS)


def find_recorded(name: str, code: Code) -> Entry:
    """The entry of a network that a record names, such as a trained model's; a name is no file's path here.

    Args:
        name: of the network.
        code: that defines it (`nrdfer.core.plugins.Code`); empty for one of `MODELS`.

    Raises:
        ProfileError: there is none.
        PluginError: its code is not here, is another now, or cannot be loaded.
    """
    if code:
        return recorded(name, code, MODELS)
    if name not in MODELS:
        raise ProfileError(f"there is no model {name!r}; known are {', '.join(MODELS)}")
    return MODELS[name]


def title_of(name: str) -> str:
    """How tables print a network; nothing of another package or a user's file is loaded for it."""
    if name in MODELS:
        return MODELS[name].title
    in_file = split_reference(name)
    return name if in_file is None else ".".join(filter(None, (in_file[0].stem, in_file[1])))


def resolve_settings(name: str, settings: Mapping[str, Any], preset: str = "paper") -> NetworkSettings:
    """A network's full settings: `settings` laid over those of a preset.

    Raises:
        ProfileError: unknown name, preset or setting, or a value that is not valid.
        PluginError: see `find_model`.
    """
    return _resolved(find_model(name), name, settings, preset)


def build_model(name: str, settings: Mapping[str, Any], preset: str = "paper") -> ClipNetwork:
    """Build a network with fresh weights.

    Args:
        name: as for `find_model`.
        settings: laid over those of the preset.
        preset: ``paper``, ``sample``, or another one of the network's.

    Raises:
        ProfileError: unknown name, preset or setting, or a value that is not valid.
        PluginError: see `find_model`.
    """
    return _build(find_model(name), name, settings, preset)


def build_recorded(name: str, code: Code, settings: Mapping[str, Any]) -> ClipNetwork:
    """Build a network with fresh weights from a record; see `find_recorded`.

    Raises:
        ProfileError: unknown name or setting, or a value that is not valid.
        PluginError: see `find_recorded`.
    """
    return _build(find_recorded(name, code), name, settings, None)


def _resolved(entry: Entry, name: str, settings: Mapping[str, Any], preset: str | None) -> NetworkSettings:
    if preset is None:  # all settings are recorded; a preset only says of which kind they are
        preset = "paper" if "paper" in entry.presets else next(iter(entry.presets))
    if preset not in entry.presets:
        raise ProfileError(f"{name} has no preset {preset!r}; known are {', '.join(entry.presets)}")
    base = entry.presets[preset]
    return build_settings(type(base), {**asdict(base), **_with_emotions(settings, name)}, f"settings of {name}")


def _with_emotions(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Settings whose number of classes, as they are stored for DFEW's seven emotions, became the label set.

    Raises:
        ProfileError: another number of classes, for which the settings must name the emotions.
    """
    if "classes" not in settings:
        return dict(settings)
    emotions = settings.get("emotions", EMOTIONS)
    if not isinstance(emotions, list | tuple) or settings["classes"] != len(emotions):
        raise ProfileError(
            f"settings of {name}: classes is {brief(settings['classes'])}, but the number of classes follows from the "
            "label set; leave it out (the emotions are those of the corpus)"
        )
    return {name: value for name, value in settings.items() if name != "classes"} | {"emotions": emotions}


def _build(entry: Entry, name: str, settings: Mapping[str, Any], preset: str | None) -> ClipNetwork:
    resolved = _resolved(entry, name, settings, preset)
    try:
        network = entry.network(resolved)
    except ValueError as error:  # a choice that only its part of the network knows
        raise ProfileError(f"settings of {name}: {error}") from error
    if isinstance(network, ByCode):
        network.rebuild = functools.partial(build_recorded, entry.name, entry.code)
    return network
