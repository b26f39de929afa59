"""Common parts of training the two sample networks: loading samples, the optimiser's loop, results on disk.

Losses and data belong to ``devtools.pretraining.retinaface`` and ``devtools.pretraining.enlightengan``;
training the recogniser of the paper belongs to ``nrdfer.training``. This module needs torch, NumPy, OpenCV and
safetensors only, so that the weights can be trained on a bare machine.
"""

from __future__ import annotations

import argparse
import functools
import json
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from nrdfer.core import markdown_text
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.errors import TrainingError
from nrdfer.core.output_checks import in_words, refuse_unwritable
from nrdfer.core.own_files import publish, refuse_foreign, unfinished

Batch = dict[str, Tensor]
Sample = dict[str, np.ndarray]
#: Separate streams of random numbers, so that no held-out sample was ever a training sample.
TRAINING, HELD_OUT = 1, 2


#: Loss of one batch that is on the device already, and its parts for the log.
StepLoss = Callable[[Batch], tuple[Tensor, Mapping[str, Tensor]]]


def _one_thread(_worker: int) -> None:
    # As many processes as cores: a second thread in each would only get in the way.
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _stack(samples: Sequence[Sample]) -> Sample:
    # Arrays, not tensors: they travel through pipes and so need no shared memory, which containers keep
    # small.
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def loader_of(
    dataset: Dataset[Any], batch: int, workers: int, collate: Callable[[Sequence[Any]], Any] = _stack
) -> DataLoader[Any]:
    """Batches in the order of the data set; samples depend on their index, so workers change nothing."""
    return DataLoader(
        dataset,
        batch_size=batch,
        shuffle=False,
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=_one_thread,
        prefetch_factor=4 if workers else None,
    )


def fit(
    network: nn.Module,
    loader: DataLoader[Any],
    loss_of: StepLoss,
    *,
    learning_rate: float,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
    log: Callable[[str], None] = functools.partial(print, flush=True),  # noqa: B008 (no state)
    log_every: int = 50,
) -> float:
    """One pass over the loader with AdamW and a one-cycle schedule.

    Returns:
        Seconds it took.

    Raises:
        TrainingError: the loss is not a number.
    """
    steps = len(loader)
    network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=max(steps, 2), pct_start=0.2)
    started = time.monotonic()
    for step, batch in enumerate(loader, start=1):
        loss, parts = loss_of({name: torch.from_numpy(value).to(device) for name, value in batch.items()})
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        if step < steps:
            schedule.step()
        if step % log_every == 0 or step == steps:
            value = loss.item()
            if value != value:
                raise TrainingError(f"the loss is not a number at step {step}; lower the learning rate")
            spent = time.monotonic() - started
            said = " ".join(f"{name} {part.item():.4f}" for name, part in parts.items())
            log(f"step {step}/{steps} loss {value:.4f} {said} {step / spent:.2f} steps/s")
        if progress is not None:
            progress(step, steps)
    network.eval()
    return time.monotonic() - started


def published(train: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Decorator of a training whose first argument is a ``.safetensors`` file, published with ``.json`` and ``.md``.

    Beforehand it is refused if one of them is there that no earlier call wrote (`NotOursError`), or if they cannot be
    written (`StoreError`).
    """

    @functools.wraps(train)
    def wrapped(out: Path, **options: Any) -> dict[str, Any]:
        names = [out, out.with_suffix(".json"), out.with_suffix(".md")]
        for name in names:
            refuse_unwritable(name, folder=False)
            refuse_foreign(name)
        try:
            with unfinished(out.parent) as place:
                result = train(place / out.name, **options)
                for name in names:
                    publish(place / name.name, name)
        except OSError as error:
            raise in_words(out, error) from error
        return result

    return wrapped


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write JSON whole or not at all."""
    write_whole(path, (json.dumps(result, indent=2, sort_keys=True) + "\n").encode())


def table(rows: Mapping[str, Any]) -> str:
    """A Markdown table of names and values; floats to four significant digits."""
    cells = ((name, f"{value:.4g}" if isinstance(value, float) else str(value)) for name, value in rows.items())
    return markdown_text.table(["", ""], ([name.replace("_", " "), value] for name, value in cells))


def arguments(description: str, *, steps: int, batch: int, size: int) -> argparse.ArgumentParser:
    """The options both commands take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        "--out", type=Path, required=True, help="the .safetensors file to write; .md and .json beside it"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--size", type=int, default=size, help="side of the rendered pictures in pixels")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    parser.add_argument("--held-out", type=int, default=400, help="rendered samples to measure on")
    return parser


def command_line(module: str, out: Path) -> str:
    """The command that is running, as a user would type it, without the output folder."""
    words = [word if Path(word) != out else out.name for word in sys.argv[1:]]
    return shlex.join(["python", "-m", module, *words])
