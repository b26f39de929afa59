"""Frames per second from video to enhanced face crops: this project's pipeline and the plain one, on one core.

The plain pipeline does what preprocessing scripts usually do: ffmpeg writes every frame as PNG; RetinaFace gets every
whole frame in PyTorch; crops are written as PNG; EnlightenGAN takes them one by one in PyTorch. Both pipelines use the
same weights, choose the target by the same rules, end with JPEG crops, and run in turn within this process.

``python -m bench.preprocess [--clips DIR] [--retinaface FILE] [--enlightengan FILE] [--limit N]`` prints one line of
JSON. Without arguments: three rendered videos, the shipped detector, and a generator of the published size with made
up weights (how fast a network is does not depend on their values).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from devtools.made_up_networks import made_up_generator
from devtools.targets import choose_target
from nrdfer.config.alignment import AlignSettings
from nrdfer.corpora.synthetic.render import CorpusSettings, render_corpus
from nrdfer.enhance.enhancer import Enhancer
from nrdfer.faces import sparse_detection
from nrdfer.faces.align_clip import crops, plan_clip
from nrdfer.faces.alignment import fit_template, nearest_matrices, warp
from nrdfer.faces.backends import SeenNetwork
from nrdfer.faces.detector import Face, FaceDetector
from nrdfer.faces.load_detector import load_detector
from nrdfer.faces.tracking import is_usable
from nrdfer.video.discovery import list_sources
from nrdfer.video.ffmpeg import ffmpeg_executable, passthrough_option
from nrdfer.video.jpeg import encode_jpeg
from nrdfer.video.shots import ShotLabeller
from nrdfer.weights.catalogue import sample_weights

Frames = list[NDArray[np.uint8]]
QUALITY = 95


@dataclass
class Done:
    """What one chain made of one clip."""

    seconds: dict[str, float] = field(default_factory=dict)
    targets: list[NDArray[np.float64] | None] = field(default_factory=list)  # five points a frame
    plain_crops: Frames = field(default_factory=list)
    enhanced: Frames = field(default_factory=list)

    def time(self, stage: str, since: float) -> float:
        """Add the time since `since` to a stage; returns now."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - since
        return now


class EagerEngine:
    """The network as it is published: batch norms not folded, PyTorch, whole frames."""

    def __init__(self, detector: FaceDetector) -> None:
        self.seen = SeenNetwork(detector.net, detector.convention).eval()

    @torch.inference_mode()
    def __call__(self, pictures_BHWC: NDArray[np.uint8]) -> Any:
        """See `nrdfer.faces.backends.Engine`."""
        return tuple(answer.numpy() for answer in self.seen(torch.from_numpy(pictures_BHWC)))


def plain_chain(video: Path, detector: FaceDetector, enhancer: Enhancer, settings: AlignSettings, work: Path) -> Done:
    done, since = Done(), time.perf_counter()
    executable = ffmpeg_executable()
    options = [f"-{passthrough_option(executable)}", "passthrough", "-enc_time_base", "1:90000", "-threads", "1"]
    command = [executable, "-v", "error", "-nostdin", "-threads", "1", "-i", str(video), *options, f"{work}/%06d.png"]
    subprocess.run(command, check=True)  # noqa: S603  (no shell, fixed options)
    pictures = sorted(work.glob("*.png"))
    since = done.time("frames to PNG", since)
    detections, shots, labeller = [], [], ShotLabeller()
    for path in pictures:
        frame = read(path)
        shots.append(labeller.label(frame))
        detections.append(detector.detect(frame))
    since = done.time("detect", since)
    height, width = read(pictures[0]).shape[:2]
    targets = choose_target(detections, width, height, shots=shots, min_track=settings.min_track)
    matrices = [matrix_of(face, settings) for face in targets]
    filled = nearest_matrices(matrices)
    if filled is not None:
        for path, matrix in zip(pictures, filled, strict=True):
            crop = warp(read(path), matrix, settings.size)
            cv2.imwrite(str(work / f"crop_{path.name}"), crop[..., ::-1])
        since = done.time("align", since)
        for path in sorted(work.glob("crop_*.png")):
            crop = read(path)
            done.plain_crops.append(crop)
            done.enhanced.append(enhancer.enhance(crop[None])[0])
            (work / f"{path.stem}.jpg").write_bytes(encode_jpeg(done.enhanced[-1], QUALITY))
        done.time("enhance", since)
    done.targets = [points(f) if m is not None else None for f, m in zip(targets, matrices, strict=True)]
    return done


def our_chain(video: Path, detector: FaceDetector, enhancer: Enhancer, settings: AlignSettings, work: Path) -> Done:
    done, since = Done(), time.perf_counter()
    plan = plan_clip(video, detector, settings)
    since = done.time("decode and detect", since)
    if plan.usable:
        for number, crop in enumerate(enhancer.stream(crops(plan, settings.size))):
            done.enhanced.append(crop)
            (work / f"{number:04d}.jpg").write_bytes(encode_jpeg(crop, QUALITY))
        done.time("decode, align and enhance", since)
    done.targets = [np.array(record.points) if record.has_face else None for record in plan.records]
    return done


def read(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.ascontiguousarray(picture[..., ::-1])


def matrix_of(face: Face | None, settings: AlignSettings) -> NDArray[np.float64] | None:
    if face is None or not is_usable(face, settings.max_residual):
        return None
    return fit_template(face.points, settings.size, settings.margin)[0]


def points(face: Face | None) -> NDArray[np.float64]:
    assert face is not None
    return face.points.astype(np.float64)


def agreement(pairs: list[tuple[Done, Done]], fast: Enhancer) -> dict[str, Any]:
    """Landmarks in pixels of the source; grey levels of 255."""
    errors, both, either = [], 0, 0
    levels, whole, within = [0], [], []
    for plain, ours in pairs:
        for a, b in zip(plain.targets, ours.targets, strict=True):
            either += a is not None or b is not None
            if a is not None and b is not None:
                both += 1
                errors.append(float(np.linalg.norm(a - b, axis=1).mean()))
        for start in range(0, len(plain.plain_crops), 64):
            again = fast.enhance(np.stack(plain.plain_crops[start : start + 64])).astype(int)
            levels.append(int(np.abs(again - np.stack(plain.enhanced[start : start + 64])).max()))
        for crop_a, crop_b in zip(plain.enhanced, ours.enhanced, strict=False):
            difference = np.abs(crop_a.astype(int) - crop_b)
            whole.append(float(difference.mean()))
            within.append(float((difference <= 2).mean()))
    return {
        "frames_with_target_in_both": both,
        "frames_with_target_in_either": either,
        "landmarks_px_median": round(float(np.median(errors)), 3),
        "landmarks_px_p95": round(float(np.percentile(errors, 95)), 3),
        "same_crop_enhanced_max_levels": max(levels),
        "whole_chain_mean_levels": round(float(np.mean(whole)), 3),
        "whole_chain_share_within_2_levels": round(float(np.mean(within)), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--retinaface", type=Path, default=sample_weights("retinaface"))
    parser.add_argument("--enlightengan", type=Path)
    parser.add_argument("--limit", type=int, help="clips at most")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # ffmpeg's processes inherit it
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    # the shipped detector has seen large rendered faces, and is used as the sample profile uses it
    sample = given.retinaface == sample_weights("retinaface")
    settings = AlignSettings(max_side=360) if sample else AlignSettings()
    plain_detector = load_detector(given.retinaface, backend="torch", max_side=settings.max_side)
    plain_detector.engine = EagerEngine(plain_detector)
    our_detector = load_detector(given.retinaface, max_side=settings.max_side)
    if given.enlightengan is None:
        plain_enhancer, our_enhancer = (Enhancer(made_up_generator(), backend=b) for b in ("torch", "auto"))
    else:
        plain_enhancer, our_enhancer = (Enhancer.load(given.enlightengan, backend=b) for b in ("torch", "auto"))
    with tempfile.TemporaryDirectory() as folder:
        clips = given.clips
        if clips is None:
            clips = render_corpus(Path(folder) / "rendered", CorpusSettings.tiny()) / "AFEW" / "Val_AFEW"
        videos = [source.path for source in list_sources([clips])][
            : given.limit or (3 if given.clips is None else None)
        ]
        pairs = []
        for number, video in enumerate(videos):
            made = []
            for name, chain, detector, enhancer in (
                ("plain", plain_chain, plain_detector, plain_enhancer),
                ("ours", our_chain, our_detector, our_enhancer),
            ):
                work = Path(folder) / f"{number}-{name}"
                work.mkdir()
                made.append(chain(video, detector, enhancer, settings, work))
                took = sum(made[-1].seconds.values())
                print(f"{video.name}: {name} {len(made[-1].targets)} frames in {took:.1f} s", file=sys.stderr)
            pairs.append((made[0], made[1]))
        figures = agreement(pairs, our_enhancer)
    frames = sum(len(plain.targets) for plain, _ in pairs)
    stages = [seconds_of(part) for part in zip(*pairs, strict=True)]
    per_second = [frames / sum(part.values()) for part in stages]
    print(
        json.dumps(
            {
                "bench": "preprocess",
                "clips": len(videos),
                "frames": frames,
                "frames_per_second": {"plain": round(per_second[0], 2), "ours": round(per_second[1], 2)},
                "ratio": round(per_second[1] / per_second[0], 2),
                "seconds": {"plain": stages[0], "ours": stages[1]},
                "agreement": figures,
                "whole_frames_every": sparse_detection.EVERY,
                "machine": platform.machine(),
                "torch": torch.__version__,
            }
        )
    )


def seconds_of(chain: tuple[Done, ...]) -> dict[str, float]:
    """Seconds of each stage over all clips."""
    names = dict.fromkeys(stage for done in chain for stage in done.seconds)
    return {name: round(sum(done.seconds.get(name, 0.0) for done in chain), 2) for name in names}


if __name__ == "__main__":
    main()
