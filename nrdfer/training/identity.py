"""Which training this is: two of one identity, on clips of the same content, end with the same weights.

A checkpoint carries it, so that nothing continues what it does not belong to, and the difference can be named.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nrdfer.config.profile import flatten
from nrdfer.runtime.engine import Engine
from nrdfer.training.recipe import Recipe

Identity = dict[str, Any]
_SHOWN = 6  # differences in a message


def identity_of(
    model_name: str,
    model_settings: Mapping[str, Any],
    recipe: Recipe,
    engine: Engine,
    train_ids: Sequence[str],
    test_ids: Sequence[str],
    initial_weights: Path | None,
) -> Identity:
    """What identifies a training, as plain values: settings in full, long lists and files as digests."""
    told = {
        "network": {"name": model_name, **model_settings},
        "recipe": {key: value for key, value in dataclasses.asdict(recipe).items() if key != "name"},
        "engine": engine.numerics(),
        "clips to learn from": _digest("\n".join(sorted(train_ids)).encode()),
        "clips to test on": _digest("\n".join(sorted(test_ids)).encode()),
        "initial weights": "none" if initial_weights is None else _digest(initial_weights.read_bytes()),
    }
    plain: Identity = json.loads(json.dumps(told, sort_keys=True))  # tuples become lists, as in a file
    return plain


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What differs between two identities, in words: ``recipe.lr is 0.05 there, 0.04 here``."""
    flat_there, flat_here = flatten(there), flatten(here)
    return [
        f"{key} is {flat_there.get(key, 'not set')} there, {flat_here.get(key, 'not set')} here"
        for key in dict.fromkeys([*flat_here, *flat_there])
        if flat_there.get(key, "not set") != flat_here.get(key, "not set")
    ]


def shown(found: Sequence[str]) -> str:
    """Differences for a message: the first few, and how many more."""
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
