"""From a name and settings to a network, and from a training's folder to a trained one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nrdfer.config import build_settings
from nrdfer.errors import ProfileError
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings

MODELS = ("nr-dfernet",)


def build_model(name: str, settings: Mapping[str, Any]) -> NRDFERNet:
    """Build a network with fresh weights.

    Raises:
        ProfileError: unknown name or setting.
    """
    if name not in MODELS:
        raise ProfileError(f"there is no model {name!r}; known are {', '.join(MODELS)}")
    where = f"settings of {name}"
    built = build_settings(NRDFERNetSettings, settings, where)
    try:
        return NRDFERNet(built)
    except ValueError as error:  # a choice that only its part of the network knows
        raise ProfileError(f"{where}: {error}") from error
