"""How fast this machine is: preprocessing, steps under the profiler, and one epoch of DFEW's full size.

Each measurement takes the device and the seconds that it may take, and returns figures. On a CPU it runs the same code
on a narrow network and a handful of clips, and says so: such figures show that it runs, not how fast anything is.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from devtools.gpu_check import kernels
from devtools.gpu_check.clips import TINY, network, recorder_of
from devtools.made_up_networks import made_up_generator
from nrdfer.config.alignment import AlignSettings
from nrdfer.config.recipe import RECIPES
from nrdfer.config.rendering import CorpusSettings
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import NrdferError
from nrdfer.core.records import ClipRecord
from nrdfer.corpora.published import DFEW_CLIPS, DFEW_FRAMES, DFEW_TESTS
from nrdfer.corpora.synthetic.jobs import plan, render_clip
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.frame_cache import FrameCache, open_cache
from nrdfer.data.loader import BatchLoader
from nrdfer.enhance.enhancer import Enhancer
from nrdfer.evaluation.inference import predict
from nrdfer.faces.align_clip import crops, plan_clip
from nrdfer.faces.detector import FaceDetector
from nrdfer.faces.load_detector import load_detector
from nrdfer.runtime.determinism import full_precision, seed_step, set_up
from nrdfer.runtime.distributed import Ranks
from nrdfer.runtime.engine import Engine
from nrdfer.training.epochs import epoch_batches
from nrdfer.training.learner import Learner
from nrdfer.video.discovery import list_sources
from nrdfer.video.ffmpeg import ffmpeg_executable
from nrdfer.weights.catalogue import sample_weights

SIDE, FOLDS, EPOCHS = 112, 5, 70
_LONGEST = 200  # frames of a made up clip
_PICTURES = 8  # at a time on a GPU, without videos
NARROW = "narrow network, few clips: shows that it runs, not how fast"
#: Ways to train that are profiled and timed; on a CPU graphs are the stand-in.
_FAST: Mapping[str, Any] = {"precision": "bf16", "fused": True, "deterministic": False}
WAYS: Mapping[str, Mapping[str, Any]] = {"bf16-fused": _FAST, "bf16-graphs-fused": {**_FAST, "graphs": True}}


class MadeUpClips:
    """Clips of DFEW's number and mean length whose frames are noise; nothing is decoded (a `ClipSource`)."""

    def __init__(self, clips: int, frames: int) -> None:
        self.clip_ids = [f"{number:06d}" for number in range(clips)]
        mean, rng = frames / clips, np.random.default_rng(0)
        lengths = rng.integers(16, max(17, int(2 * mean) - 16), clips).clip(16, _LONGEST)
        self._lengths = dict(zip(self.clip_ids, lengths.tolist(), strict=True))
        self._noise = rng.integers(0, 256, (_LONGEST, SIDE, SIDE, 3), dtype=np.uint8)

    def record(self, clip_id: str) -> ClipRecord:
        """See `ClipSource`."""
        return ClipRecord("check", clip_id, EMOTIONS[int(clip_id) % 7], "", self._lengths[clip_id], "0" * 64)

    def frames(self, clip_id: str, indices: Sequence[int] | None = None) -> NDArray[np.uint8]:
        """See `ClipSource`."""
        return self._noise[: self._lengths[clip_id]] if indices is None else self._noise[list(indices)]


def _settings(device: torch.device) -> Mapping[str, Any]:
    """Of the network: the paper's on a GPU; narrow on a CPU, of pictures of the same size."""
    return {} if device.type == "cuda" else {**TINY, "image_size": SIDE}


def _learner(device: torch.device, engine: Engine, batches: int) -> Learner:
    recipe = RECIPES["dfew-paper"] if device.type == "cuda" else dataclasses.replace(RECIPES["dfew-paper"], batch=4)
    where, recorder = set_up(engine), recorder_of(device)
    made = Learner(network(_settings(device)), recipe, engine, where, Ranks(), batches, recorder)
    made.model.train()
    return made


def _data(source: MadeUpClips, clip_ids: Sequence[str], *, augmented: bool) -> ClipDataset:
    augment = RECIPES["dfew-paper"].augment if augmented else None
    return ClipDataset(source, clip_ids, image_size=SIDE, emotions=EMOTIONS, augment=augment)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def preprocessing(device: torch.device, seconds: float) -> dict[str, Any]:
    """Frames per second from video to enhanced crops on the device, decoding beside it; on a GPU the CPU's, too.

    Without an ffmpeg on this machine frames in memory take the place of videos, and nothing is decoded.
    """
    settings, ends = AlignSettings(max_side=360), time.monotonic() + seconds
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            ffmpeg_executable()
            videos = _videos(Path(folder), 3 if device.type == "cuda" else 1)
        except NrdferError as error:
            videos = []
            found["decoding"] = f"not measured: {error}"[:200]
        names = list(dict.fromkeys((device.type, "cpu")))
        for number, name in enumerate(names, start=1):
            detector = load_detector(sample_weights("retinaface"), max_side=settings.max_side, device=name)
            enhancer = Enhancer(made_up_generator(), name)
            until = ends - seconds * (1 - number / len(names))
            if videos:
                found[name] = _chain(videos, detector, enhancer, settings, until)
            else:
                found[name] = _without_decoding(detector, enhancer, until)
    if device.type == "cuda":
        found["ratio"] = round(found["cuda"]["frames_per_second"] / found["cpu"]["frames_per_second"], 2)
    return found


def _videos(out: Path, count: int) -> list[Path]:
    """Rendered videos of one face each."""
    settings = CorpusSettings.tiny()
    jobs = [job for job in plan(settings) if job.corpus == "AFEW"][:count]
    for job in jobs:
        render_clip(job, settings, out)
    return [video.path for video in list_sources([out])]


def _chain(
    videos: Sequence[Path], detector: FaceDetector, enhancer: Enhancer, settings: AlignSettings, until: float
) -> dict[str, Any]:
    frames, took = 0, 0.0
    for number, video in enumerate([videos[0], *videos]):  # the first one warms up
        started = time.perf_counter()
        clip = plan_clip(video, detector, settings)
        made = sum(1 for _ in enhancer.stream(crops(clip, settings.size)))
        if number:
            frames, took = frames + made, took + time.perf_counter() - started
        if number and time.monotonic() > until:
            break
    return {"frames": frames, "frames_per_second": round(frames / took, 2)}


def _without_decoding(detector: FaceDetector, enhancer: Enhancer, until: float) -> dict[str, Any]:
    """Whole pictures searched and as many crops enhanced, batch by batch."""
    rng, batch = np.random.default_rng(0), _PICTURES if detector.on_gpu else 1
    pictures = list(rng.integers(0, 256, (batch, 360, 640, 3), dtype=np.uint8))
    faces = rng.integers(0, 256, (batch, SIDE, SIDE, 3), dtype=np.uint8)
    frames, took = 0, 0.0
    for number in range(50):
        started = time.perf_counter()
        detector.detect_batch(pictures)
        enhancer.enhance(faces)
        if number:  # the first batch warms up
            frames, took = frames + batch, took + time.perf_counter() - started
        if number and time.monotonic() > until:
            break
    return {"frames": frames, "frames_per_second": round(frames / took, 2)}


def _each_way(device: torch.device, workers: int, measure: Callable[[Engine], dict[str, Any]]) -> dict[str, Any]:
    """What is measured of every way; one that fails is reported, and does not stop the next."""
    found: dict[str, Any] = {"network": "paper" if device.type == "cuda" else NARROW}
    for name, changes in WAYS.items():
        engine = Engine(device="cuda" if device.type == "cuda" else "auto", workers=workers, **changes)
        try:
            found[name] = measure(engine)
        except (NrdferError, RuntimeError) as error:
            found[name] = {"passed": False, "why": f"{type(error).__name__}: {error}"[:400]}
    return found


def profile(device: torch.device, seconds: float) -> dict[str, Any]:
    """The profiler's view of some steps from frames in memory; see `kernels.described`."""
    batch = 32 if device.type == "cuda" else 4
    source = MadeUpClips(4 * batch, 4 * batch * 40)
    cache = open_cache(source, source.clip_ids, "gpu" if device.type == "cuda" else "ram", device, workers=2)
    return _each_way(device, 2, lambda engine: _profiled(device, engine, source, cache, batch))


def _profiled(
    device: torch.device, engine: Engine, source: MadeUpClips, cache: FrameCache | None, batch: int
) -> dict[str, Any]:
    warm_up, count = (8, 12) if device.type == "cuda" else (1, 2)
    made = _learner(device, engine, 100)
    loader = BatchLoader(_data(source, source.clip_ids, augmented=True), device, workers=2, cache=cache)
    order = np.random.default_rng(0).permutation(len(source.clip_ids))
    parts = [np.roll(order, number)[:batch] for number in range(warm_up + count)]
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    profiler = torch.profiler.profile(activities=activities)
    for number, loaded in enumerate(loader.batches(parts, 1)):
        if number == warm_up:
            _wait_for(device)
            profiler.start()
        _step(made, loaded.x_BTCHW, loaded.y_B, number)
    _wait_for(device)
    profiler.stop()
    return kernels.described(profiler.events(), count)


def _step(made: Learner, x_BTCHW: torch.Tensor, y_B: torch.Tensor, number: int) -> None:
    seed_step(0, 1, number, 0)
    loss, _ = made.loss(x_BTCHW, y_B)
    made.update(loss, 1)


def epoch(device: torch.device, seconds: float) -> dict[str, Any]:
    """One epoch of a fold of DFEW, trained and tested, of its number of clips and frames; and what that comes to."""
    on_gpu = device.type == "cuda"
    clips, frames = (DFEW_CLIPS, DFEW_FRAMES) if on_gpu else (20, 20 * 20)
    tests, workers = (max(DFEW_TESTS.values()), 8) if on_gpu else (4, 1)
    ends, source = time.monotonic() + seconds, MadeUpClips(clips, frames)
    started = time.perf_counter()
    cache = open_cache(source, source.clip_ids, "auto" if on_gpu else "ram", device, workers=workers)
    filled = time.perf_counter() - started
    data = _data(source, source.clip_ids[tests:], augmented=True)
    tested = _data(source, source.clip_ids[:tests], augmented=False)
    share = (ends - time.monotonic()) / len(WAYS)

    def measure(engine: Engine) -> dict[str, Any]:
        return _epoch(device, engine, data, tested, cache, time.monotonic() + share)

    figures = _each_way(device, workers, measure)
    return {"cache": "none" if cache is None else cache.kind, "fill_seconds": round(filled, 1), **figures}


def _epoch(
    device: torch.device, engine: Engine, data: ClipDataset, tested: ClipDataset, cache: FrameCache | None, ends: float
) -> dict[str, Any]:
    made = _learner(device, engine, 100)
    loader = BatchLoader(data, device, workers=engine.workers, cache=cache)
    trained, took = _timed_steps(made, loader, epoch_batches(data, 1, made.recipe), device, ends)
    tests = {}
    for name, batch, tf32 in (("usual", 16, False), ("128 clips, TF32", 128, True)):
        with full_precision(tf32=tf32):
            predict(made.model, tested, batch=batch, workers=engine.workers, cache=cache)  # warms up
            started = time.perf_counter()
            predict(made.model, tested, batch=batch, workers=engine.workers, cache=cache)
            tests[name] = round(time.perf_counter() - started, 2)
    whole = took * len(data) / trained
    minutes = round(FOLDS * EPOCHS * (whole + min(tests.values())) / 60, 1)
    return {
        "clips_trained": trained,
        "clips_of_the_epoch": len(data),
        "measured_whole": trained == len(data),
        "clips_per_second": round(trained / took, 1),
        "epoch_seconds": round(whole, 2),
        "test_seconds": tests,
        "minutes_for_five_folds_of_70_epochs": minutes if device.type == "cuda" else None,
    }


def _timed_steps(
    made: Learner, loader: BatchLoader, batches: Sequence[NDArray[np.int64]], device: torch.device, ends: float
) -> tuple[int, float]:
    """Clips trained, and seconds of that; the first few batches are trained before, to warm up."""
    warm = min(4, len(batches))
    for _ in _steps(made, loader, batches[:warm]):
        pass
    _wait_for(device)
    started, trained = time.perf_counter(), 0
    for clips in _steps(made, loader, batches):
        trained += clips
        if time.monotonic() > ends:
            break
    _wait_for(device)
    return trained, time.perf_counter() - started


def _steps(made: Learner, loader: BatchLoader, batches: Sequence[NDArray[np.int64]]) -> Iterator[int]:
    for number, loaded in enumerate(loader.batches(batches, 1)):
        _step(made, loaded.x_BTCHW, loaded.y_B, number)
        yield len(loaded.positions)
