"""Rivals as the authors of their published figures ran them, as far as public code says: network and recipe of a row.

The rows of the paper's tables are trained alike by default, with NR-DFERNet's recipe, and compare networks. Under the
profile's ``experiments: {rivals: authors}``, the rows listed here are trained as their authors did; only those, and
NR-DFERNet's own, reproduce something. Which rows there are belongs to ``catalogue``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nrdfer.config.recipe import NamedRecipe, Recipe
from nrdfer.config.settings import build_value
from nrdfer.experiments.catalogue import OURS, Experiment


@dataclass(frozen=True)
class Origin:
    """What the authors of a row's published figures trained."""

    model: str  # of the registry
    preset: str
    recipes: Mapping[str, str]  # corpus -> name of the recipe
    source: str  # of network and recipe


_DFEW_CODE = "github.com/jiangxingxun/DFEW, the code of the authors of DFEW, whose paper has the row"
_DFEW_RECIPE = {"dfew": "dfew-authors"}
_ORIGINS: Mapping[str, Origin] = {
    "c3d-ti": Origin("c3d", "dfew-authors", _DFEW_RECIPE, _DFEW_CODE),
    "p3d-ti": Origin("p3d", "dfew-authors", _DFEW_RECIPE, _DFEW_CODE),
    "r2plus1d-18-ti": Origin("r2plus1d-18-torchvision", "paper", _DFEW_RECIPE, _DFEW_CODE),
    "r3d-18-ti": Origin("r3d-18-torchvision", "paper", _DFEW_RECIPE, _DFEW_CODE),
    "i3d-rgb-ti": Origin("i3d-rgb", "dfew-authors", _DFEW_RECIPE, _DFEW_CODE),
    "resnet18-lstm-ti": Origin("reslstm", "paper", _DFEW_RECIPE, _DFEW_CODE),
    "former-dfer-ds": Origin(
        "former-dfer",
        "paper",
        {"dfew": "former-dfer", "afew": "former-dfer-afew"},
        "github.com/zengqunzhao/Former-DFER, its authors' release",
    ),
}
_OURS = Origin(
    OURS, "paper", {"dfew": "dfew-paper", "afew": "afew-paper"}, "Li et al. 2022; what it leaves open is chosen here"
)
_FREE = ("name", "seed")  # fields of a recipe that do not make it another one


def origin_of(experiment: Experiment) -> Origin | None:
    """What the authors of an experiment's published figures trained; None where no public source says it."""
    return _OURS if experiment.model == OURS else _ORIGINS.get(experiment.name)


def is_reproduction(experiment: Experiment, corpus: str, described: Mapping[str, Any]) -> bool:
    """Whether network and recipe of a finished training are those of the authors of the published figures.

    Args:
        experiment: that it was trained for.
        corpus: that its test clips are of.
        described: the training's network and recipe (``model``, ``settings``, ``recipe``), as its evaluation has them.
    """
    from nrdfer.models.registry import resolve_settings

    origin = origin_of(experiment)
    if origin is None or corpus not in origin.recipes or described["model"] != origin.model:
        return False
    settings = resolve_settings(origin.model, dict(experiment.settings), origin.preset).to_dict()
    values = {**experiment.recipe, "name": origin.recipes[corpus]}
    recipe: Recipe = build_value(values, NamedRecipe, experiment.name, ("recipe",))
    same_network: bool = _plain(settings) == _plain(described["settings"])
    same_recipe: bool = _recipe(recipe.to_dict()) == _recipe(described["recipe"])
    return same_network and same_recipe


def _recipe(values: Mapping[str, Any]) -> Any:
    return _plain({name: value for name, value in values.items() if name not in _FREE})


def _plain(values: Mapping[str, Any]) -> Any:
    """Values as a file has them: tuples became lists."""
    return json.loads(json.dumps(values, sort_keys=True))
