"""Profiles: every setting of one reproduction, read from YAML, overridden field by field, and frozen.

Keep here: the shape of a profile and how it is read, checked and digested. The profiles themselves are YAML files in
``pipelines/profiles``. Settings of the parts are defined in ``alignment``, ``noise``, ``recipe`` and ``rendering``
beside this file, `nrdfer.runtime.engine` and `nrdfer.data.settings`; each network's in its own file, which imports
torch, so `nrdfer.models.registry` resolves them only when the network is requested.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self, cast

from nrdfer.config.alignment import MODES, AlignSettings
from nrdfer.config.noise import NoiseSettings, noise_preset
from nrdfer.config.recipe import RECIPES, SPELLINGS, NamedRecipe, Recipe
from nrdfer.config.rendering import CorpusSettings
from nrdfer.config.settings import LaidOver, Overrides, SettingError, build_settings, build_value, merge, renamed
from nrdfer.core.coerce import brief
from nrdfer.core.errors import ProfileError
from nrdfer.core.plain_text import one_line
from nrdfer.core.plain_yaml import line_of, plain, read_settings
from nrdfer.core.safe_names import checked_name
from nrdfer.data.settings import DataSettings
from nrdfer.runtime.engine import Engine

_log = logging.getLogger(__name__)
FROM_SCRATCH = "none"  # of a training that starts from no other's weights


#: Ways of training the rivals of the tables: `ExperimentSettings.rivals`.
ALIKE, AUTHORS = "alike", "authors"
AUTHORS_PIXELS = 224  # the largest frames that a rival sees as its authors ran it


@dataclass(frozen=True)
class CorporaConfig:
    """Sources of the corpora: rendered by this project, or folders that the user holds a licence for."""

    rendered: bool = False
    afew_root: str | None = None
    dfew_root: str | None = None
    render: CorpusSettings = field(default_factory=CorpusSettings)
    roots: Mapping[str, str] = field(default_factory=dict)  # folders of further corpora, by name

    def __post_init__(self) -> None:
        _refuse_again(self.roots, "roots", "{}_root")

    def root_of(self, corpus: str) -> str | None:
        """The user's folder of a corpus, if one was given."""
        return {"afew": self.afew_root, "dfew": self.dfew_root, **self.roots}.get(corpus)


@dataclass(frozen=True)
class WeightsConfig:
    """Weights of the two pretrained networks: ``sample`` (shipped), a name of the catalogue, or a file's path."""

    retinaface: str = "retinaface-resnet50"
    retinaface_convention: str | None = None  # input convention of a file of your own: see faces.detector.CONVENTIONS
    enlightengan: str = "enlightengan"
    folder: str | None = None  # searched before the hub
    allow_download: bool = True


@dataclass(frozen=True)
class ShardsConfig:
    """Size and compression of shards."""

    clips_per_shard: int = 256
    jpeg_quality: Annotated[int, "1 to 100"] = 95
    image_size: Annotated[int, "pixels; DFEW's 224 px faces are resized once, when they enter a shard"] = 112


@dataclass(frozen=True)
class ExperimentSettings:
    """Settings for networks other than the profile's own."""

    rivals: Annotated[str, "alike: by the profile's recipe; authors: as theirs did, where code says how"] = ALIKE
    rival_preset: str | None = None  # None: the profile's model_preset
    settings: Mapping[str, Overrides] = field(default_factory=dict)  # network -> its settings, laid over the preset
    recipes: Mapping[str, Overrides] = field(default_factory=dict)  # network -> fields of the recipe, for all corpora

    def __post_init__(self) -> None:
        if self.rivals not in (ALIKE, AUTHORS):
            raise ValueError(f"rivals must be {ALIKE} or {AUTHORS}, not {self.rivals!r}")


@dataclass(frozen=True)
class Profile:
    """One reproduction, fully resolved; made by `Profile.read`."""

    name: str
    description: str
    corpora: CorporaConfig = field(default_factory=CorporaConfig)
    weights: WeightsConfig = field(default_factory=WeightsConfig)
    align: Annotated[AlignSettings, "detection and alignment of faces"] = field(default_factory=AlignSettings)
    enhance: Annotated[str, "low-light enhancement of none, each crop or each frame"] = "crop"
    shards: Annotated[ShardsConfig, "size and compression of shards"] = field(default_factory=ShardsConfig)
    device: Annotated[str, "of detection and enhancement: auto, cpu or cuda; changes rounding only"] = "auto"
    workers: Annotated[int, "processes within one step of preprocessing; never changes a result"] = 2
    chunk_clips: Annotated[int, "videos that one step of preprocessing works on; never changes a result"] = 64
    model: Annotated[str, "the network: a name of `nrdfer models`, or my_net.py:MyNet"] = "nr-dfernet"
    model_preset: Annotated[str, "preset of that network: paper, sample..."] = "paper"
    model_settings: Overrides = field(default_factory=dict)  # laid over the preset; see `models.registry`
    dfew_recipe: Annotated[NamedRecipe, "recipe for training on DFEW"] = RECIPES["dfew-paper"]
    afew_recipe: Annotated[NamedRecipe, "recipe for training on AFEW"] = RECIPES["dfew-paper"]
    engine: Annotated[Engine, "how training is computed"] = field(default_factory=Engine)
    data: Annotated[DataSettings, "how training and evaluation read shards"] = field(default_factory=DataSettings)
    experiments: ExperimentSettings = field(default_factory=ExperimentSettings)
    seeds: Annotated[int, "trainings of each cell of the paper's tables, which differ in their seed only"] = 1
    noise: Annotated[NoiseSettings, LaidOver(noise_preset)] = field(default_factory=NoiseSettings)
    recipes: Mapping[str, NamedRecipe] = field(default_factory=dict)  # of further corpora, by name
    #: Corpus -> none: its training starts from scratch. Of the paper's, only AFEW's starts from another's.
    initial: Mapping[str, str] = field(default_factory=dict)
    #: The values as they were written, from which digests are made and changed profiles are read.
    written: Overrides = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        checked_name(self.name, "profile")  # part of names of folders and pointers
        if self.enhance not in MODES:
            raise ValueError(f"enhance is {self.enhance!r}; it must be one of {', '.join(MODES)}")
        for name in ("chunk_clips", "workers", "seeds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} counts from 1 on, but is {getattr(self, name)}")
        _refuse_again(self.recipes, "recipes", "{}_recipe")
        for corpus, value in self.initial.items():
            if value != FROM_SCRATCH:
                raise ValueError(f"initial: {brief(corpus)} is {brief(value)}; it can be {FROM_SCRATCH}, or left out")
        if self.experiments.rivals == AUTHORS and self.shards.image_size < AUTHORS_PIXELS:
            raise ValueError(
                f"experiments: rivals: {AUTHORS} needs frames of {AUTHORS_PIXELS} px, as some saw, but shards have "
                f"{self.shards.image_size}; set shards: {{image_size: {AUTHORS_PIXELS}}}"
            )

    @classmethod
    def read(cls, values: Mapping[str, Any], where: str) -> Self:
        """Build a profile from plain values; `where` names their source in messages.

        Raises:
            SettingError: a setting that is not understood.
        """
        written = renamed(values, *reversed(SPELLINGS))
        if written != values:
            _hint_at_spelling()
        profile = build_settings(cls, written, where)
        for network, changes in profile.experiments.recipes.items():
            recipe = merge(profile.section("dfew_recipe"), changes)
            build_value(recipe, NamedRecipe, where, ("experiments", "recipes", network))
        object.__setattr__(profile, "written", written)
        return profile

    def changed(self, **values: Any) -> Profile:
        """The profile with other values of whole fields.

        Raises:
            SettingError: a value that is not understood.
        """
        return Profile.read({**self.written, **values}, f"profile {self.name}")

    def section(self, name: str) -> Overrides:
        """One part as it was written, such as ``engine``; empty if it was not."""
        return cast(Overrides, self.written.get(name, {}))

    def recipe_for(self, corpus: str, default: str | None = None) -> Recipe:
        """The recipe for training on a corpus.

        Args:
            corpus: its name.
            default: the name of the recipe if the profile has none.

        Raises:
            ProfileError: the profile has none, and there is no default.
        """
        known = {"dfew": self.dfew_recipe, "afew": self.afew_recipe, **self.recipes}
        if corpus not in known and default is not None:
            return RECIPES[default]
        if corpus not in known:
            raise ProfileError(
                f"profile {self.name} has no recipe for the corpus {corpus!r}, only for {', '.join(known)}; add "
                f"recipes: {{{corpus}: {{name: ...}}}}, a name of `nrdfer recipes`"
            )
        return known[corpus]

    def change_recipe(
        self, corpus: str, values: Overrides, *, anew: bool = False, default: str | None = None
    ) -> Profile:
        """A profile with fields laid over a corpus's recipe, or over no recipe if `anew`.

        Args:
            corpus: its name.
            values: fields of the recipe.
            anew: whether to drop the profile's own recipe.
            default: the name of the recipe if the profile has none.

        Raises:
            SettingError: a field that is not understood.
        """
        field_name = f"{corpus}_recipe"
        if field_name in _FIELDS:
            return self.changed(**{field_name: merge({} if anew else self.section(field_name), values)})
        recipes = self.section("recipes")
        base = {} if anew else cast(Overrides, recipes.get(corpus, {"name": default} if default else {}))
        return self.changed(recipes={**recipes, corpus: merge(base, values)})

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for metadata, MLflow parameters and digests: parts as they were written, the rest in full.

        So a later version's defaults, fields and spellings leave the digest of a profile as it is.
        """
        values = {name: getattr(self, name) for name in _FIELDS}
        for name, value in values.items():
            if name in ("corpora", "weights", "shards"):
                values[name] = dataclasses.asdict(value)
            elif dataclasses.is_dataclass(value) or isinstance(value, Mapping):
                values[name] = self.section(name)
        values["corpora"]["render"] = self.section("corpora").get("render", {})
        for part, name in ((values, "recipes"), (values, "initial"), (values, "data"), (values["corpora"], "roots")):
            if not part[name]:
                del part[name]
        if self.seeds == 1:
            del values["seeds"]
        return renamed(values, *SPELLINGS)


_FIELDS = tuple(f.name for f in dataclasses.fields(Profile) if f.init)


def _refuse_again(given: Mapping[str, object], name: str, field_name: str) -> None:
    """Refuse a corpus in a mapping if it has a field of its own."""
    for corpus in ("afew", "dfew"):
        if corpus in given:
            raise ValueError(f"{name}: {corpus} has a setting of its own, {field_name.format(corpus)}")


@cache
def _hint_at_spelling() -> None:
    new, old = SPELLINGS
    _log.warning("a recipe's setting is spelled `%s`; `%s` is still read", new, old)


def load_profile(path: Path, overrides: Mapping[str, Any] | None = None) -> Profile:
    """Read one profile and lay `overrides` over it.

    Raises:
        ProfileError: the file does not exist (the message lists the profiles beside it), is not a YAML mapping,
            or holds a setting that is not understood; the message names the line.
    """
    name = one_line(path.stem)
    if not path.is_file():
        there = ", ".join(sorted(one_line(p.stem) for p in path.parent.glob("*.yaml"))) or "none"
        raise ProfileError(f"there is no profile {name!r} in {path.parent}; profiles there: {there}")
    where = f"profile {one_line(str(path))}"
    values = read_settings(path, where)
    if not isinstance(values, dict):
        raise ProfileError(f"{where} must hold named settings, but holds {type(values).__name__}")
    laid_over = plain(overrides or {}, "what is laid over the profile")
    for section, above in laid_over.items():
        below = values.get(section)
        if isinstance(above, Mapping) and below is not None and not isinstance(below, Mapping):  # it would be replaced
            line = line_of(path, where, (section,))
            kind = f"{brief(below)} ({type(below).__name__})"
            raise ProfileError(f"{where}, line {line}: {section}: {kind} is given instead of named settings")
    try:
        return Profile.read(merge(values, laid_over), f"profile {name}")
    except SettingError as error:
        given: Any = laid_over
        for part in error.place:
            given = given.get(part) if isinstance(given, Mapping) else None
        if given is not None and error.place:
            raise ProfileError(f"{error} (laid over the profile)") from error
        line = line_of(path, where, error.place)
        raise ProfileError(f"{error} ({one_line(str(path))}{f', line {line}' if line else ''})") from error
