"""Profiles: every setting of one reproduction, read from YAML, overridden field by field, and frozen.

What belongs here: the shape of a profile and how it is read, checked and digested. The profiles themselves are
YAML files in ``pipelines/profiles``; the settings of a stage are defined by that stage (``AlignSettings``,
``Recipe``, ``CorpusSettings``...) and only referenced here, so that reading a profile imports nothing heavy.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from nrdfer.core.coerce import brief, brief_quotes, convert
from nrdfer.core.errors import ProfileError
from nrdfer.core.plain_text import one_line
from nrdfer.core.plain_yaml import plain, read_settings
from nrdfer.core.safe_names import checked_name

T = TypeVar("T")
_NAMED = 8  # settings that a message names


@dataclass(frozen=True)
class CorporaConfig:
    """Where the videos come from: rendered by this project, or two folders that the user holds a licence for."""

    rendered: bool = False
    afew_root: str | None = None
    dfew_root: str | None = None
    render: Mapping[str, Any] = field(default_factory=dict)  # fields of corpora.synthetic.render.CorpusSettings


@dataclass(frozen=True)
class WeightsConfig:
    """Weights of the two pretrained networks: ``sample`` (shipped), a name of the catalogue, or a file's path."""

    retinaface: str = "retinaface-resnet50"
    retinaface_convention: str | None = None  # input convention of a file of your own: see faces.detector.CONVENTIONS
    enlightengan: str = "enlightengan"
    folder: str | None = None  # looked into before the hub
    allow_download: bool = True


@dataclass(frozen=True)
class ShardsConfig:
    """How shards are cut and compressed."""

    clips_per_shard: int = 256
    jpeg_quality: int = 95
    image_size: int = 112  # pixels; DFEW's 224 px faces are resized once, when they enter a shard


@dataclass(frozen=True)
class Profile:
    """One reproduction, fully resolved. The nested mappings hold fields of the named stage's own settings."""

    name: str
    description: str
    corpora: CorporaConfig = field(default_factory=CorporaConfig)
    weights: WeightsConfig = field(default_factory=WeightsConfig)
    align: Mapping[str, Any] = field(default_factory=dict)  # faces.clip.AlignSettings
    enhance: str = "crop"  # none | crop | frame
    shards: ShardsConfig = field(default_factory=ShardsConfig)
    device: str = "auto"  # of detection and enhancement: auto | cpu | cuda; changes rounding only
    workers: int = 2  # processes within one step; never changes a result
    chunk_clips: int = 64  # videos that one step of detection or enhancement works on; never changes a result
    model: str = "nr-dfernet"  # a name of models.registry
    model_preset: str = "paper"  # of that network: paper, sample...
    model_settings: Mapping[str, Any] = field(default_factory=dict)  # laid over the preset
    dfew_recipe: Mapping[str, Any] = field(default_factory=dict)  # a name of training.recipe.RECIPES, fields laid over
    afew_recipe: Mapping[str, Any] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)  # training.engine.Engine: how, not what, is trained
    experiments: Mapping[str, Any] = field(default_factory=dict)  # experiments.profiles.ExperimentSettings
    noise: Mapping[str, Any] = field(default_factory=dict)  # a preset of noise.settings, and fields laid over it

    def __post_init__(self) -> None:
        checked_name(self.name, "profile")  # folders and pointers bear it

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for metadata, MLflow parameters and digests."""
        return dataclasses.asdict(self)


def build_settings(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """Build a settings dataclass from a mapping and refuse what it does not know.

    Values are checked and converted by the fields' annotations (`convert`): lists become tuples, 4 becomes 4.0 where a
    number with a fraction is meant. Nested dataclasses are built from nested mappings.

    Raises:
        ProfileError: an unknown field, a value of another type, or one that the dataclass itself refuses.
    """
    hints = typing.get_type_hints(cls)
    known = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(one_line(str(name)[:80]) for name in set(values) - known)
    if unknown:
        listed = ", ".join(unknown[:_NAMED]) + (f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else "")
        raise ProfileError(f"{where}: unknown setting {listed}; known are {', '.join(sorted(known))}")
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        hint = hints[name]
        if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
            arguments[name] = build_settings(typing.cast(type[Any], hint), value, f"{where}.{name}")
        elif dataclasses.is_dataclass(hint) and not isinstance(value, typing.cast(type[Any], hint)):
            raise ProfileError(f"{where}: {name} is {brief(value)}, but must be named settings, e.g. {name}: {{...}}")
        else:
            try:
                arguments[name] = convert(value, hint)
            except ValueError as error:
                raise ProfileError(f"{where}: {name} {error}") from error
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise ProfileError(f"{where}: {brief_quotes(str(error))}") from error


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `overrides` laid over it, nested mappings merged key by key.

    Raises:
        ProfileError: `overrides` is none: a profile holds something else where named settings are meant.
    """
    if not isinstance(overrides, Mapping):
        raise ProfileError(f"{brief(overrides)} ({type(overrides).__name__}) stands where named settings are meant")
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level of dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def load_profile(path: Path, overrides: Mapping[str, Any] | None = None) -> Profile:
    """Read one profile and lay `overrides` over it.

    Raises:
        ProfileError: the file does not exist (the message lists the profiles beside it), is not a YAML mapping,
            or holds a setting that is not understood.
    """
    name = one_line(path.stem)
    if not path.is_file():
        there = ", ".join(sorted(one_line(p.stem) for p in path.parent.glob("*.yaml"))) or "none"
        raise ProfileError(f"there is no profile {name!r} in {path.parent}; profiles there: {there}")
    values = read_settings(path, f"profile {one_line(str(path))}")
    if not isinstance(values, dict):
        raise ProfileError(f"profile {one_line(str(path))} must hold named settings, but holds {type(values).__name__}")
    merged = merge(values, plain(overrides or {}, "what is laid over the profile"))
    return build_settings(Profile, merged, f"profile {name}")
