"""Training the sample enhancer (a narrow EnlightenGAN generator) on rendered faces, and measuring it.

Run as ``python -m devtools.pretraining.enlightengan --out enlightengan.safetensors``: writes the weights, a model card
(.md) and the measurements (.json). The paper trains against two discriminators on unpaired photographs. Here the same
generator learns from pairs of one rendered face, bright and darkened: rendering gives pairs for free, and the sample
has only to show that the stage works. Published weights are not made here: see `nrdfer.weights.catalogue`.

Shape legend: B batch, C channels (RGB), H height, W width.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from devtools.pretraining.common import (
    HELD_OUT,
    TRAINING,
    Batch,
    Sample,
    arguments,
    command_line,
    fit,
    loader_of,
    published,
    table,
    write_json,
)
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.luma import LUMA
from nrdfer.corpora.synthetic.scene import random_face_crop
from nrdfer.enhance.checkpoints import FORMAT
from nrdfer.enhance.enhancer import Enhancer
from nrdfer.enhance.generator import EnlightenGenerator
from nrdfer.weights.catalogue import content_ids
from nrdfer.weights.safetensors_file import save_safetensors

_UNTOUCHED = 0.15  # share of pairs that are bright on both sides: what is bright must stay as it is


def mean_luma(rgb: np.ndarray) -> float:
    """Mean luma (BT.601) of uint8 RGB, 0..255."""
    return float((rgb.reshape(-1, 3).astype(np.float32) @ np.array(LUMA, np.float32)).mean())


def expose(rgb_HWC: np.ndarray, luma: float) -> np.ndarray:
    """Scale a picture up to the given mean luma if it is darker, so that training targets are bright."""
    gain = luma / max(mean_luma(rgb_HWC), 1.0)
    if gain <= 1.0:
        return rgb_HWC
    brighter_HWC: np.ndarray = np.clip(rgb_HWC * gain, 0, 255).astype(np.uint8)
    return brighter_HWC


def darken(rgb_HWC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same picture in poor light: less exposure, a colour cast, sensor noise, 8-bit rounding."""
    gain = np.exp(rng.uniform(np.log(0.08), np.log(0.6)))
    x_HWC = (rgb_HWC.astype(np.float32) / 255.0) ** rng.uniform(1.0, 1.6)
    x_HWC = x_HWC * (gain * rng.uniform(0.92, 1.08, 3))
    x_HWC = x_HWC + rng.normal(0.0, rng.uniform(0.0, 0.012), x_HWC.shape)
    dark_HWC: np.ndarray = np.clip(255.0 * x_HWC, 0, 255).astype(np.uint8)
    return dark_HWC


class FacePairs(Dataset[Sample]):
    """Pairs ``dark`` and ``bright``, each (H, W, 3) uint8 RGB; sample `i` depends on (seed, stream, i) alone.

    Args:
        seed: of the training.
        stream: `TRAINING` or `HELD_OUT`.
        count: pairs.
        size: side of the pictures, pixels.
        untouched: share of pairs left bright.
    """

    def __init__(self, seed: int, stream: int, count: int, size: int, untouched: float = _UNTOUCHED) -> None:
        self.seed, self.stream, self.count, self.size, self.untouched = seed, stream, count, size, untouched

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng([self.seed, self.stream, index])
        bright_HWC = expose(random_face_crop(rng, self.size), rng.uniform(95.0, 125.0))
        if rng.random() < 0.5:
            bright_HWC = bright_HWC[:, ::-1]
        bright_HWC = np.ascontiguousarray(bright_HWC)
        dark_HWC = bright_HWC if rng.random() < self.untouched else darken(bright_HWC, rng)
        return {"dark": dark_HWC, "bright": bright_HWC}


def structural_similarity(a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
    """Mean SSIM (Wang et al. 2004) over uniform windows of 7 pixels, for pictures in 0..1."""

    def average(x_BCHW: Tensor) -> Tensor:
        return F.avg_pool2d(x_BCHW, 7, stride=1)

    mean_a, mean_b = average(a_BCHW), average(b_BCHW)
    variance_a = average(a_BCHW * a_BCHW) - mean_a**2
    variance_b = average(b_BCHW * b_BCHW) - mean_b**2
    covariance = average(a_BCHW * b_BCHW) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (variance_a + variance_b + 0.03**2)
    return (luminance * structure).mean()


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 pictures, decibels (infinite for equal ones)."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255.0**2 / error))


def evaluate_enhancer(
    enhancer: Enhancer, *, seed: int, count: int, size: int, workers: int = 0
) -> dict[str, dict[str, float]]:
    """Measure on held-out rendered faces, darkened and left bright.

    Returns:
        For ``darkened`` and ``bright``: ``pictures``, medians of ``psnr_before`` and ``psnr_after``
        (decibels, to the bright picture), and means of ``luma_before``, ``luma_after`` and ``luma_wanted``
        (0..255).
    """
    measured: dict[str, dict[str, float]] = {}
    for name, untouched, pictures in (("darkened", 0.0, count), ("bright", 1.0, max(count // 4, 1))):
        rows: list[tuple[float, float, float, float, float]] = []
        for pair in loader_of(FacePairs(seed, HELD_OUT, pictures, size, untouched), 16, workers):
            after_BHWC = enhancer.enhance(pair["dark"])
            for dark, after, bright in zip(pair["dark"], after_BHWC, pair["bright"], strict=True):
                lumas = (mean_luma(dark), mean_luma(after), mean_luma(bright))
                rows.append((psnr(dark, bright), psnr(after, bright), *lumas))
        values = np.array(rows)
        measured[name] = {
            "pictures": pictures,
            "psnr_before": float(np.median(values[:, 0])),
            "psnr_after": float(np.median(values[:, 1])),
            "luma_before": float(values[:, 2].mean()),
            "luma_after": float(values[:, 3].mean()),
            "luma_wanted": float(values[:, 4].mean()),
        }
    measured["bright"].pop("psnr_before")  # infinite: nothing was darkened
    return measured


def stored(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convolutions in half precision, which halves the file; normalisation stays in single."""
    return {name: value.half() if value.ndim == 4 else value for name, value in state.items()}


@published
def train_enlightengan(
    out: Path,
    *,
    seed: int = 0,
    steps: int = 2000,
    batch: int = 32,
    size: int = 112,
    device: str = "cpu",
    workers: int = 2,
    held_out: int = 400,
    base_channels: int = 8,
    learning_rate: float = 2e-3,
    command: str = "devtools.pretraining.enlightengan.train_enlightengan",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train a narrow generator from random weights on rendered pairs; write it and measure the file.

    Args:
        out: the ``.safetensors`` file; ``.md`` (model card) and ``.json`` (measurements) are written beside
            it.
        seed: of the initial weights and of every pair.
        steps: batches.
        batch: pairs in a batch.
        size: side of the crops, pixels.
        device: where the network is trained.
        workers: processes that render.
        held_out: darkened crops to measure on; a quarter as many bright ones.
        base_channels: width of the generator (32 is the published one).
        learning_rate: peak of the one-cycle schedule.
        command: written into the metadata.
        progress: called with (steps done, steps in all).

    Returns:
        Settings and measurements, as in the ``.json``.

    Raises:
        TrainingError: the loss is not a number.
        NrdferError: see `devtools.pretraining.common.published`.
    """
    where = torch.device(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = EnlightenGenerator(base_channels)

    def loss_of(samples: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        dark_BCHW, bright_BCHW = (samples[name].permute(0, 3, 1, 2).float() / 255.0 for name in ("dark", "bright"))
        y_BCHW = generator.unclipped(dark_BCHW)
        distance = F.l1_loss(y_BCHW, bright_BCHW)
        dissimilarity = 1.0 - structural_similarity(y_BCHW, bright_BCHW)
        parts = {"l1": distance.detach(), "dissimilarity": dissimilarity.detach()}
        return distance + 0.2 * dissimilarity, parts

    loader = loader_of(FacePairs(seed, TRAINING, steps * batch, size), batch, workers)
    seconds = fit(generator, loader, loss_of, learning_rate=learning_rate, device=where, progress=progress)
    settings = {
        "command": command,
        "seed": str(seed),
        "steps": str(steps),
        "batch": str(batch),
        "size": str(size),
        "learning_rate": str(learning_rate),
        "base_channels": str(base_channels),
    }
    save_safetensors(out, stored(generator.state_dict()), {"format": FORMAT, **settings})
    result: dict[str, Any] = {
        **settings,
        "sha256": content_ids(out)[0],
        "bytes": out.stat().st_size,
        "parameters": sum(p.numel() for p in generator.parameters()),
        "training_seconds": seconds,
        "device": torch.cuda.get_device_name(where) if where.type == "cuda" else platform.machine(),
        "torch": torch.__version__,
        "held_out": evaluate_enhancer(
            Enhancer.load(out, device), seed=seed, count=held_out, size=size, workers=workers
        ),
    }
    write_json(out.with_suffix(".json"), result)
    write_model_card(out.with_suffix(".md"), result)
    return result


def write_model_card(path: Path, result: Mapping[str, Any]) -> None:
    """Write the model card: what the weights are for, how they were made, what was measured."""
    measured = "\n\n".join(f"Crops {name}:\n\n{table(rows)}" for name, rows in result["held_out"].items())
    made = {name: value for name, value in result.items() if name not in ("held_out", "command")}
    text = f"""# Sample weights: EnlightenGAN's generator, narrow

Network: the generator of EnlightenGAN (Jiang et al. 2021) with {result["base_channels"]} instead of 32
channels at its first level; the same layers under the same names. Trained from random weights on rendered
faces only: no photograph of a person was used.

**This is not EnlightenGAN's training.** The paper trains the generator against two discriminators on unpaired
photographs. These weights were trained on pairs of the same rendered face, bright and artificially darkened,
with an L1 and a structural-similarity loss. They prove the stage, and brighten rendered faces; they say
nothing about the quality of EnlightenGAN.

**Use:** the `sample` profile and the tests.

**Do not use** for real video: the `paper` profile takes the published weights.

## How it was made

    {result["command"]}

{table(made)}

## What was measured

On held-out rendered faces, with the weights as stored (convolutions in half precision). PSNR in decibels to
the bright picture, medians; luma 0 to 255, means.

{measured}
"""
    write_whole(path, text.encode())


def main() -> None:
    """The command line."""
    parser = arguments("Train the sample enhancer on rendered faces.", steps=2000, batch=32, size=112)
    parser.add_argument("--base-channels", type=int, default=8, help="width; 32 is the published generator")
    options = parser.parse_args()
    result = train_enlightengan(command=command_line("devtools.pretraining.enlightengan", options.out), **vars(options))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
