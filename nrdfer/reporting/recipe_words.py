"""A training's recipe, and its network's size, in a line for readers; every single value is in the list of settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nrdfer.config.recipe import Recipe

_OPTIMIZERS = {"sgd": "SGD", "adamw": "AdamW"}


def recipe_in_words(recipe: Recipe) -> str:
    """Optimiser, learning rate with its decay, epochs, batch and weight decay."""
    rate = f"learning rate {recipe.lr:g}"
    decay = {
        "exponential": f"times {recipe.gamma:g} after each epoch",
        "step": f"times {recipe.gamma:g} after every {recipe.step_epochs} epochs",
        "onecycle": f"the highest of one cycle, reached after {100 * recipe.warmup:g} % of the batches",
    }[recipe.schedule]
    parts = [
        f"{recipe.epochs} epochs in batches of {recipe.batch} clips",
        f"{_OPTIMIZERS.get(recipe.optimizer, recipe.optimizer)}, {rate}, {decay}",
        f"momentum {recipe.momentum:g}",
        f"weight decay {recipe.weight_decay:g}",
    ]
    if recipe.clip_norm is not None:
        parts.append(f"gradients clipped at {recipe.clip_norm:g}")
    if recipe.oversample:
        parts.append("every emotion equally often")
    return f"{'; '.join(parts)} (recipe `{recipe.name}`)"


def network_in_words(title: str, settings: Mapping[str, Any]) -> str:
    """The network's name, and the size of what it is given."""
    size = settings.get("image_size")
    frames = settings.get("frames")
    sizes = [f"{size}x{size} pixels"] if size else []
    sizes += [f"{frames} frames a clip"] if frames else []
    return ", ".join((title, *sizes))
