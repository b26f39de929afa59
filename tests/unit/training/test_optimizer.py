"""Schedules of learning rates, from the longest training to one of a single step."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from nrdfer.config.recipe import Recipe
from nrdfer.training.optimizer import make_schedule


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.2, 0.25, 0.3, 0.5])
def test_one_cycle_of_any_number_of_steps(warmup: float) -> None:
    for steps in (*range(1, 21), 100):
        recipe = dataclasses.replace(Recipe(), schedule="onecycle", epochs=steps, warmup=warmup)
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], recipe.lr)
        schedule = make_schedule(optimizer, recipe, 1)
        rates = [optimizer.param_groups[0]["lr"]]
        for _ in range(steps - 1):
            optimizer.step()
            schedule.step()
            rates.append(optimizer.param_groups[0]["lr"])
        assert all(0 < rate <= recipe.lr * (1 + 1e-6) for rate in rates), (steps, rates)
        assert rates[-1] <= rates[0] or steps == 1
