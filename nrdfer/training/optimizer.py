"""PyTorch's optimiser and learning-rate schedule, built from a recipe. When they step belongs to the loop."""

from __future__ import annotations

import torch
from torch import nn

from nrdfer.config.recipe import Recipe


def make_optimizer(model: nn.Module, recipe: Recipe, *, fused: bool = False) -> torch.optim.Optimizer:
    """The recipe's optimiser over all weights of a network; `fused`: one kernel, which rounds differently."""
    weights, how = model.parameters(), {"fused": True} if fused else {}
    if recipe.optimizer == "adam":
        betas = (recipe.momentum, 0.999)
        return torch.optim.Adam(weights, recipe.lr, betas=betas, weight_decay=recipe.weight_decay, **how)
    if recipe.optimizer == "adamw":
        betas = (recipe.momentum, 0.98)
        return torch.optim.AdamW(weights, recipe.lr, betas=betas, weight_decay=recipe.weight_decay, **how)
    return torch.optim.SGD(weights, recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay, **how)


def make_schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, batches: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The recipe's schedule; `batches` are those of one epoch. One cycle steps every batch, the others every epoch."""
    if recipe.schedule == "exponential":
        return torch.optim.lr_scheduler.ExponentialLR(optimizer, recipe.gamma)
    if recipe.schedule == "step":
        return torch.optim.lr_scheduler.StepLR(optimizer, recipe.step_epochs, recipe.gamma)
    steps, warmup = recipe.epochs * batches, recipe.warmup
    if warmup * steps == 1:  # PyTorch divides by the length of the warm-up less one step
        warmup += 1e-9
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.lr,
        total_steps=steps,
        pct_start=warmup,
        cycle_momentum=False,
    )
