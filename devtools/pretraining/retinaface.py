"""Training the sample detector (RetinaFace, MobileNet 0.25) on rendered faces, and measuring it.

Run as ``python -m devtools.pretraining.retinaface --out retinaface.safetensors``: writes the weights, a model card
(.md) and the measurements (.json). The loss is in `devtools.pretraining.multibox_loss`, the target of each prior in
`devtools.pretraining.prior_matching`, the rendering in `nrdfer.corpora.synthetic`. Published weights are not made here:
see `nrdfer.weights.catalogue`.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
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
from devtools.pretraining.multibox_loss import MultiBoxLoss
from devtools.pretraining.prior_matching import iou_matrix, match
from nrdfer.core.atomic_files import write_whole
from nrdfer.corpora.synthetic.scene import Scene, random_scene
from nrdfer.faces.detector import Face, FaceDetector
from nrdfer.faces.input_conventions import PYTORCH_RETINAFACE
from nrdfer.faces.load_detector import load_detector
from nrdfer.faces.network import RetinaFaceNet
from nrdfer.faces.priors import prior_boxes
from nrdfer.weights.catalogue import content_ids
from nrdfer.weights.safetensors_file import save_safetensors

MAX_FACES = 3
_MIRRORED = (1, 0, 2, 4, 3)  # left and right eye, and left and right mouth corner, change places


def truth_of(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (F, 4) and points (F, 5, 2) in pixels of the faces whose centre is in the picture."""
    height, width = scene.rgb.shape[:2]
    boxes_F4 = np.array([face.box for face in scene.faces], np.float32).reshape(-1, 4)
    points_F52 = np.array([face.points for face in scene.faces], np.float32).reshape(-1, 5, 2)
    centre_F2 = (boxes_F4[:, :2] + boxes_F4[:, 2:]) / 2
    inside_F = ((centre_F2 >= 0) & (centre_F2 < (width, height))).all(axis=1)
    boxes_F4 = boxes_F4[inside_F].copy()
    boxes_F4[:, 0::2] = boxes_F4[:, 0::2].clip(0, width)
    boxes_F4[:, 1::2] = boxes_F4[:, 1::2].clip(0, height)
    return boxes_F4, points_F52[inside_F]


def mirror(
    rgb_HWC: np.ndarray, boxes_F4: np.ndarray, points_F52: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flip a picture and its faces left to right; left and right points change places."""
    width = rgb_HWC.shape[1]
    boxes_F4 = np.stack((width - boxes_F4[:, 2], boxes_F4[:, 1], width - boxes_F4[:, 0], boxes_F4[:, 3]), axis=1)
    points_F52 = points_F52[:, _MIRRORED].copy()
    points_F52[..., 0] = width - 1 - points_F52[..., 0]
    return rgb_HWC[:, ::-1], boxes_F4, points_F52


def disturb(rgb_HWC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Degrade a picture as in compressed film: exposure, contrast, colour cast, sensor noise, blur and JPEG blocks."""
    gain = np.exp(rng.uniform(np.log(0.12), np.log(1.5)) if rng.random() < 0.4 else rng.uniform(-0.3, 0.3))
    gains_C = gain * rng.uniform(0.88, 1.12, 3)
    levels_L = np.linspace(0.0, 1.0, 256) ** rng.uniform(0.75, 1.4)
    table_LC = np.clip(255.0 * levels_L[:, None] * gains_C, 0, 255).astype(np.uint8)
    rgb_HWC = np.ascontiguousarray(cv2.LUT(np.ascontiguousarray(rgb_HWC), table_LC[None]))
    if rng.random() < 0.3:
        rgb_HWC = cv2.GaussianBlur(rgb_HWC, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.4:
        noise_HWC = rng.standard_normal(rgb_HWC.shape, dtype=np.float32) * rng.uniform(1.0, 9.0)
        rgb_HWC = np.clip(rgb_HWC + noise_HWC, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        _, coded = cv2.imencode(".jpg", rgb_HWC, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 96))])
        rgb_HWC = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return rgb_HWC


class TrainingScenes(Dataset[Sample]):
    """Rendered scenes with the targets of every prior; sample `i` depends on (seed, i) alone.

    A sample holds ``picture`` (H, W, 3) uint8 BGR, ``positive`` (P,), ``boxes`` (P, 4) and ``points`` (P,
    10).
    """

    def __init__(self, seed: int, count: int, size: int) -> None:
        self.seed, self.count, self.size = seed, count, size
        self.priors_P4 = prior_boxes(size, size)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng([self.seed, TRAINING, index])
        scene = random_scene(rng, self.size, self.size, MAX_FACES)
        boxes_F4, points_F52 = truth_of(scene)
        rgb_HWC = disturb(scene.rgb, rng)
        if rng.random() < 0.5:
            rgb_HWC, boxes_F4, points_F52 = mirror(rgb_HWC, boxes_F4, points_F52)
        targets = match(boxes_F4 / self.size, points_F52 / self.size, self.priors_P4)
        return {
            "picture": np.ascontiguousarray(rgb_HWC[..., ::-1]),
            "positive": targets.positive,
            "boxes": targets.boxes,
            "points": targets.points,
        }


class HeldOutScenes(Dataset[tuple[np.ndarray, np.ndarray, np.ndarray]]):
    """Rendered scenes as (rgb, boxes, points in pixels); never a training sample, not disturbed further."""

    def __init__(self, seed: int, count: int, width: int, height: int) -> None:
        self.seed, self.count, self.width, self.height = seed, count, width, height

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.seed, HELD_OUT, self.width, index])
        scene = random_scene(rng, self.width, self.height, MAX_FACES)
        return (scene.rgb, *truth_of(scene))


def compare(
    faces: Sequence[Face], boxes_F4: np.ndarray, points_F52: np.ndarray, least_iou: float = 0.5
) -> tuple[int, list[float]]:
    """Compare detected faces with true ones.

    Returns:
        The number of false positives, and for each true face that was found the mean distance of its five
        points as a fraction of the box's size (the root of its area). Each true face counts once, for the
        best-scored hit.
    """
    errors: list[float] = []
    taken: set[int] = set()
    for face in faces:  # descending score
        iou_F = iou_matrix(np.asarray(face.box, np.float32)[None], boxes_F4)[0]
        free = [i for i in np.argsort(-iou_F) if iou_F[i] >= least_iou and int(i) not in taken]
        if free:
            best = int(free[0])
            taken.add(best)
            side = float(np.sqrt(np.prod(boxes_F4[best, 2:] - boxes_F4[best, :2])))
            errors.append(float(np.linalg.norm(face.points - points_F52[best], axis=1).mean()) / side)
    return len(faces) - len(errors), errors


def _alone(samples: Sequence[Any]) -> Any:
    return samples[0]


def evaluate_detector(
    detector: FaceDetector, *, seed: int, count: int, width: int, height: int, workers: int = 0
) -> dict[str, float | None]:
    """Recall, false positives a picture and error of the points on held-out rendered scenes.

    Args:
        detector: as the pipeline uses it, with its threshold.
        seed: the training's seed.
        count: pictures.
        width: of the pictures, pixels.
        height: of the pictures, pixels.
        workers: processes that render.

    Returns:
        ``pictures``, ``faces``, ``recall`` (IoU of at least 0.5), ``false_positives_per_picture``, and
        ``points_error_median`` and ``points_error_p95`` as fractions of the box's size (None if nothing was
        found).
    """
    n_faces = n_false = 0
    errors: list[float] = []
    scenes = HeldOutScenes(seed, count, width, height)
    for rgb_HWC, boxes_F4, points_F52 in loader_of(scenes, 1, workers, _alone):
        false, found = compare(detector.detect(rgb_HWC), boxes_F4, points_F52)
        n_faces += len(boxes_F4)
        n_false += false
        errors.extend(found)
    return {
        "pictures": count,
        "faces": n_faces,
        "recall": len(errors) / n_faces if n_faces else None,
        "false_positives_per_picture": n_false / count,
        "points_error_median": float(np.median(errors)) if errors else None,
        "points_error_p95": float(np.quantile(errors, 0.95)) if errors else None,
    }


@published
def train_retinaface(
    out: Path,
    *,
    seed: int = 0,
    steps: int = 1600,
    batch: int = 32,
    size: int = 320,
    device: str = "cpu",
    workers: int = 2,
    held_out: int = 400,
    learning_rate: float = 3e-3,
    command: str = "devtools.pretraining.retinaface.train_retinaface",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train RetinaFace (MobileNet 0.25) from random weights on rendered scenes; write and measure it.

    Args:
        out: the ``.safetensors`` file; ``.md`` (model card) and ``.json`` (measurements) are written beside
            it.
        seed: of the initial weights and of every scene.
        steps: batches.
        batch: scenes in a batch.
        size: side of a training scene, pixels, a multiple of 32.
        device: where the network is trained.
        workers: processes that render.
        held_out: scenes to measure on, of training size; a quarter as many of 720 x 576.
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
        net = RetinaFaceNet("mobilenet0.25")
    criterion = MultiBoxLoss()
    mean_C = torch.tensor(PYTORCH_RETINAFACE.mean, device=where)

    def loss_of(samples: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        x_BCHW = (samples["picture"].float() - mean_C).permute(0, 3, 1, 2).contiguous()
        return criterion(net(x_BCHW), samples["positive"], samples["boxes"], samples["points"])

    loader = loader_of(TrainingScenes(seed, steps * batch, size), batch, workers)
    seconds = fit(net, loader, loss_of, learning_rate=learning_rate, device=where, progress=progress)
    settings = {
        "command": command,
        "seed": str(seed),
        "steps": str(steps),
        "batch": str(batch),
        "size": str(size),
        "learning_rate": str(learning_rate),
    }
    save_safetensors(
        out,
        net.state_dict(),
        {
            "format": "nrdfer-retinaface",
            "backbone": "mobilenet0.25",
            "convention": PYTORCH_RETINAFACE.name,
            **settings,
        },
    )
    detector = load_detector(out, device=device)
    sizes = {f"{size} x {size}": (held_out, size, size), "720 x 576": (max(held_out // 4, 1), 720, 576)}
    result: dict[str, Any] = {
        **settings,
        "sha256": content_ids(out)[0],
        "bytes": out.stat().st_size,
        "parameters": sum(p.numel() for p in net.parameters()),
        "training_seconds": seconds,
        "device": torch.cuda.get_device_name(where) if where.type == "cuda" else platform.machine(),
        "torch": torch.__version__,
        "threshold": detector.threshold,
        "held_out": {
            name: evaluate_detector(detector, seed=seed, count=count, width=width, height=height, workers=workers)
            for name, (count, width, height) in sizes.items()
        },
    }
    write_json(out.with_suffix(".json"), result)
    write_model_card(out.with_suffix(".md"), result)
    return result


def write_model_card(path: Path, result: Mapping[str, Any]) -> None:
    """Write the model card: what the weights are for, how they were made, what was measured."""
    measured = "\n\n".join(f"Scenes of {name} pixels:\n\n{table(rows)}" for name, rows in result["held_out"].items())
    made = {name: value for name, value in result.items() if name not in ("held_out", "command")}
    text = f"""# Sample weights: RetinaFace, MobileNet 0.25

Network: RetinaFace (Deng et al. 2020) with MobileNet 0.25; tensor names and pre-processing (BGR, mean 104,
117, 123) of Pytorch_Retinaface. Trained from random weights on rendered faces only: no photograph of a person
was used.

**Use:** the `sample` profile and the tests, whose videos are rendered by the same project.

**Do not use** for real faces: it has never seen one. For those, the `paper` profile takes published ones.

## How it was made

    {result["command"]}

{table(made)}

## What was measured

On held-out rendered scenes, with the detector as the pipeline uses it (threshold
{result["threshold"]}). A face counts as found at an IoU of 0.5 or more; the points' error is the mean
distance of the five points as a fraction of the box's size (the root of its area).

{measured}
"""
    write_whole(path, text.encode())


def main() -> None:
    """The command line."""
    options = arguments(
        "Train the sample face detector on rendered faces.", steps=1600, batch=32, size=320
    ).parse_args()
    result = train_retinaface(command=command_line("devtools.pretraining.retinaface", options.out), **vars(options))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
