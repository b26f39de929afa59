"""What a training on a GPU must do: the same bytes twice, and losses that stay near the reference's.

As in ``checks``: a device in, figures out, an AssertionError where a bound is broken.
"""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

import torch

from devtools.gpu_check.clips import batches_of, dataset, hold, learner, losses, network, recorder_of, steps
from nrdfer.evaluation.inference import predict
from nrdfer.runtime.determinism import evaluation_precision, set_up
from nrdfer.runtime.engine import DEVIATIONS, TEST_DEVIATIONS, Engine

#: How far the losses of the first steps on a GPU may be from the CPU's, relative: float32 sums in another order.
NEAR_THE_CPU = 1e-3
#: How far a CUDA graph may move losses, relative: cuDNN may choose other kernels while it is recorded.
GRAPHS_ON_GPU = 1e-4


def _reference(device: torch.device) -> Engine:
    return Engine(device=device.type, workers=1, cache="none")


def same_bytes_twice(device: torch.device) -> dict[str, Any]:
    """The reference engine gives the same weights at every run."""
    runs = []
    for _ in range(2):
        made = learner(_reference(device))
        for _ in steps(made, 3):
            pass
        runs.append({name: value.cpu() for name, value in made.model.state_dict().items()})
    hold(all(torch.equal(value, runs[1][name]) for name, value in runs[0].items()))
    return {"tensors": len(runs[0])}


def bfloat16(device: torch.device) -> dict[str, Any]:
    """Losses in bfloat16 are as near float32's as stated."""
    reference = _reference(device)
    means = [
        statistics.mean(losses(engine)) for engine in (reference, dataclasses.replace(reference, precision="bf16"))
    ]
    hold(0 < abs(means[1] - means[0]) <= DEVIATIONS["bf16"], means)
    return {"fp32": round(means[0], 6), "bf16": round(means[1], 6), "bound": DEVIATIONS["bf16"]}


def near_the_cpu(device: torch.device) -> dict[str, Any]:
    """Losses of the first steps are those of a CPU, but for rounding."""
    pair = [losses(_reference(where)) for where in (torch.device("cpu"), device)]
    largest = max(abs(a - b) / a for a, b in zip(*pair, strict=True))
    hold(largest <= NEAR_THE_CPU, pair)
    return {"largest_relative_difference": largest, "bound": NEAR_THE_CPU}


def recorded_steps(device: torch.device) -> dict[str, Any]:
    """Replayed steps end with the losses and weights of the same steps, a smaller batch among them included."""
    reference = Engine(device="auto" if device.type == "cpu" else "cuda", workers=0, cache="none")
    parts = [*batches_of(3), batches_of(1)[0][:4], *batches_of(2)]
    runs = []
    for graphs in (False, True):
        made = learner(dataclasses.replace(reference, graphs=graphs), recorder=recorder_of(device))
        seen = [float(loss) for loss in steps(made, len(parts), parts)]
        runs.append((seen, {name: value.cpu() for name, value in made.model.state_dict().items()}))
    largest = max(abs(a - b) / a for a, b in zip(runs[0][0], runs[1][0], strict=True))
    same = all(torch.equal(value, runs[1][1][name]) for name, value in runs[0][1].items())
    hold(same if device.type == "cpu" else largest <= GRAPHS_ON_GPU, (largest, same))
    return {"largest_relative_difference": largest, "same_bytes": same, "batches": len(parts)}


def larger_tests(device: torch.device) -> dict[str, Any]:
    """Logits of larger batches, and of tests in bfloat16, are as near those of the usual ones as stated."""
    data, model = dataset(augmented=False), network().to(device)

    def logits(**changes: Any) -> torch.Tensor:
        engine = Engine(device=device.type, **changes)
        set_up(engine)
        with evaluation_precision(engine, device):
            table = predict(model, data, batch=engine.test_batch)
        return torch.tensor(table[[name for name in table if str(name).startswith("logit_")]].to_numpy())

    usual = logits()
    found = {
        "test_batch": float((logits(test_batch=128) - usual).abs().max()),
        "test_precision bf16": float((logits(test_precision="bf16") - usual).abs().max()),
    }
    hold(all(found[name] <= TEST_DEVIATIONS[name] for name in found), found)
    if device.type == "cuda":
        found["test_precision tf32"] = float((logits(test_precision="tf32") - usual).abs().max())
        hold(found["test_precision tf32"] <= TEST_DEVIATIONS["test_precision bf16"], found)
    return found
