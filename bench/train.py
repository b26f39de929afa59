"""Clips per second of a training: this project's, by engine, against the plain loop of the same network.

The plain loop is what published code does: pictures of 224 x 224 opened and changed one by one with PIL (``loader``; on
a GPU by a ``DataLoader``'s processes), the network in PyTorch's usual memory layout, cross-entropy, backward, SGD, and
``loss.item()`` at every step; float32 without TF32. Ours is what ``nrdfer train`` runs: shards, `BatchLoader` and
`Learner`. Both have the same weights, clips and recipe (dfew-paper). A step is everything: loading, augmentation,
forward, backward, optimiser. The ways take turns; a turn's first step fills the loader's queue and is not timed.

``python bench/train.py [--batch N] [--clips N] [--rounds N] [--steps N] [--engines A,B] [--json FILE]`` prints one line
of JSON. Rates are medians over rounds, ratios medians of the ratios within a round; ``ratio_of_process_seconds`` (on a
CPU) is the same by the seconds that this process computed, which a busy machine disturbs less. ``warm_up_seconds`` is
what came before: two steps, with compilation. On a GPU also: its measured peak, the share of it that is reached, and
how long five folds of 70 epochs of DFEW would take.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from loader import SIDE, PictureFolders, render_pictures, shard_folders
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nrdfer.clips.cache import FrameCache, open_cache
from nrdfer.clips.dataset import ClipDataset
from nrdfer.clips.loader import BatchLoader, Positions
from nrdfer.corpora.published import DFEW_CLIPS, DFEW_FRAMES, DFEW_TESTS
from nrdfer.errors import TrainingError
from nrdfer.evaluation.evaluate import evaluate
from nrdfer.models.flops import count_macs, count_parameters
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.models.registry import resolve_settings
from nrdfer.shards.reader import ShardReader
from nrdfer.training.engine import Engine
from nrdfer.training.learner import Learner
from nrdfer.training.numerics import seed_step, set_up
from nrdfer.training.optimiser import make_optimiser
from nrdfer.training.ranks import Ranks
from nrdfer.training.recipe import RECIPES, Recipe

#: Ours, by name; what is not said is the engine's default.
ENGINES: dict[str, dict[str, Any]] = {
    "reference": {},
    "fp32-compile-fused": {"compile": True, "fused": True, "deterministic": False},
    "bf16": {"precision": "bf16", "deterministic": False},
    "bf16-compile-fused": {"precision": "bf16", "compile": True, "fused": True, "deterministic": False},
}
NO_GPU = "none on this machine"
FOLDS, EPOCHS = 5, 70
PROCESSES = 8  # of the plain loop on a GPU


class ContiguousNRDFERNet(NRDFERNet):
    """The same network in the memory layout that PyTorch starts with, and without a look for values that are NaN."""

    def __init__(self, settings: NRDFERNetSettings) -> None:
        super().__init__(settings)
        self.to(memory_format=torch.contiguous_format)

    def features(self, x_BTCHW: Tensor) -> Tensor:
        """See `NRDFERNet`, which asks for ``channels_last`` here."""
        maps_NCHW = self.stem(x_BTCHW.flatten(0, 1).contiguous())
        return self.dsf(maps_NCHW.reshape(*x_BTCHW.shape[:2], *maps_NCHW.shape[1:])).flatten(2)

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Logits."""
        return self.head(self.represent(x_BTCHW))


class LabelledPictures(Dataset):
    """The usual data set, with labels; those of `shard_folders`."""

    def __init__(self, pictures: PictureFolders, labels: Sequence[int]) -> None:
        self.pictures, self.labels = pictures, labels

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return self.pictures[number], self.labels[number]


class Way(Protocol):
    """One way to train."""

    ahead: int  # batches that are made before they are asked for

    def set_up(self) -> None:
        """Make PyTorch compute as this way does."""
        ...

    def steps(self, parts: Sequence[Positions], epoch: int) -> Iterator[float]:
        """One step a batch, whenever it is asked for; yields the seconds that it waited for its clips."""
        ...


class PlainLoop:
    """A research repository's loop."""

    def __init__(
        self, model: ContiguousNRDFERNet, data: LabelledPictures, recipe: Recipe, device: torch.device
    ) -> None:
        self.model, self.data, self.device = model.to(device).train(), data, device
        self.optimiser = make_optimiser(self.model, recipe)
        self.ahead = 2 if device.type == "cuda" else 0

    def set_up(self) -> None:
        """See `Way`."""
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = True  # as such code does
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False

    def batches(self, parts: Sequence[Positions]) -> Iterator[tuple[Tensor, Tensor]]:
        """Clips and labels, in line; on a GPU by processes, as such code does."""
        if self.device.type != "cuda":
            for part in parts:
                clips = [self.data[int(number)] for number in part]
                yield torch.stack([x for x, _ in clips]), torch.tensor([y for _, y in clips])
            return
        numbers = [[int(number) for number in part] for part in parts]
        yield from DataLoader(self.data, batch_sampler=numbers, num_workers=PROCESSES, pin_memory=True)

    def steps(self, parts: Sequence[Positions], epoch: int) -> Iterator[float]:
        """See `Way`."""
        since = time.perf_counter()
        for x_BTCHW, y_B in self.batches(parts):
            x_BTCHW, y_B = (part.to(self.device, non_blocking=True) for part in (x_BTCHW, y_B))
            waited = time.perf_counter() - since
            loss = F.cross_entropy(self.model(x_BTCHW), y_B)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            check(loss.item())
            yield waited
            since = time.perf_counter()


class OurTraining:
    """What ``nrdfer train`` does, batch by batch."""

    def __init__(
        self,
        model: NRDFERNet,
        data: ClipDataset,
        recipe: Recipe,
        engine: Engine,
        device: torch.device,
        cache: FrameCache | None,
    ) -> None:
        self.recipe, self.engine = recipe, engine
        self.learner = Learner(model, recipe, engine, device, Ranks(), max(1, len(data) // recipe.batch))
        self.learner.model.train()
        self.loader = BatchLoader(data, device, workers=engine.workers, cache=cache)
        self.ahead = self.loader.ahead

    def set_up(self) -> None:
        """See `Way`."""
        set_up(self.engine)

    def steps(self, parts: Sequence[Positions], epoch: int) -> Iterator[float]:
        """See `Way`."""
        losses: list[Tensor] = []
        for number, loaded in enumerate(self.loader.batches(parts, epoch)):
            seed_step(self.recipe.seed, epoch, number, 0)
            loss, _ = self.learner.loss(loaded.x_BTCHW, loaded.y_B)
            losses.append(loss.detach())
            if len(losses) == self.learner.patience:
                check(float(torch.stack(losses).sum()))
                losses.clear()
            self.learner.update(loss, 1)
            yield loaded.waited


def check(loss: float) -> None:
    if not np.isfinite(loss):
        raise TrainingError(f"the loss became {loss}: what was timed is no training")


@dataclass
class Clock:
    """What one way took."""

    warm_up: float = 0.0
    seconds: list[float] = field(default_factory=list)  # of each turn
    waited: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)  # the process's seconds, of all its threads

    def rates(self, clips: int) -> list[float]:
        """Clips per second of each turn of so many clips."""
        return [clips / seconds for seconds in self.seconds]


def turn(
    way: Way, parts: Callable[[int], list[Positions]], steps: int, epoch: int, device: torch.device
) -> tuple[float, float, float]:
    """Seconds of some steps, of those spent waiting, and the process's; the loader's queue is full before and after."""
    way.set_up()
    doing = way.steps(parts(1 + steps + way.ahead), epoch)
    next(doing)
    wait_for(device)
    started, own = time.perf_counter(), time.process_time()
    waited = sum(next(doing) for _ in range(steps))
    wait_for(device)
    took, own = time.perf_counter() - started, time.process_time() - own
    doing.close()
    return took, waited, own


def wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def in_turns(
    ways: dict[str, Way],
    parts: Callable[[int], list[Positions]],
    rounds: int,
    steps: int,
    device: torch.device,
) -> tuple[dict[str, Clock], dict[str, str]]:
    """Every way's clock, and why a way was left out."""
    clocks: dict[str, Clock] = {}
    left_out: dict[str, str] = {}
    for name, way in ways.items():
        started = time.perf_counter()
        try:
            turn(way, parts, 1, 0, device)
        except TrainingError as error:
            left_out[name] = str(error)
            continue
        clocks[name] = Clock(time.perf_counter() - started)
        print(f"{name}: ready after {clocks[name].warm_up:.1f} s", file=sys.stderr)
    for epoch in range(1, rounds + 1):
        for name, clock in clocks.items():
            took = turn(ways[name], parts, steps, epoch, device)
            for kept, seconds in zip((clock.seconds, clock.waited, clock.own), took, strict=True):
                kept.append(seconds)
        print(f"round {epoch}: " + ", ".join(f"{n} {c.seconds[-1]:.2f} s" for n, c in clocks.items()), file=sys.stderr)
    return clocks, left_out


def step_flops(macs: float) -> float:
    """Operations of one training step for each clip: two a multiply-add, and the backward pass is two forwards."""
    return macs * 2 * 3


def share_of_peak(clips_per_second: float, macs: float, peak: float) -> float:
    """The share of `peak` operations a second that a training at this rate reaches; `macs` of one clip's forward."""
    return clips_per_second * step_flops(macs) / peak


def projected_hours(train_rate: float, test_rate: float, decode_rate: float) -> float:
    """Hours of five folds of 70 epochs at DFEW's size, tested after every epoch; frames are decoded once a fold.

    Args:
        train_rate: clips per second.
        test_rate: clips per second.
        decode_rate: frames per second into the cache.
    """
    test = max(DFEW_TESTS.values())
    epoch = (DFEW_CLIPS - test) / train_rate + test / test_rate
    return FOLDS * (DFEW_FRAMES / decode_rate + EPOCHS * epoch) / 3600


def matmul_peak(device: torch.device, dtype: torch.dtype, side: int, repeats: int) -> float:
    """Operations a second of a large product of matrices, the quickest of some; as PyTorch is set up at present."""
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    quickest = float("inf")
    for _ in range(repeats + 1):  # the first one warms up, and is never the quickest
        wait_for(device)
        started = time.perf_counter()
        a @ b
        wait_for(device)
        quickest = min(quickest, time.perf_counter() - started)
    return 2 * side**3 / quickest


def test_rate(model: NRDFERNet, reader: ShardReader, recipe: Recipe, engine: Engine, cache: FrameCache | None) -> float:
    """Clips per second of `evaluate`, the median of three after one to warm up."""
    took = []
    for _ in range(4):
        started = time.perf_counter()
        evaluate(model, reader, reader.clip_ids, sampling=recipe.sampling, workers=engine.workers, cache=cache)
        took.append(time.perf_counter() - started)
    return len(reader.clip_ids) / statistics.median(took[1:])


def on_gpu(
    ours: Mapping[str, OurTraining],
    rates: Mapping[str, float],
    macs: int,
    reader: ShardReader,
    cache: FrameCache | None,
    decode_rate: float,
    *,
    device: torch.device,
    side: int = 8192,
) -> dict[str, Any]:
    """What is told on a GPU only: peak, share of it, and hours for DFEW, of every way of ours."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    peak = {
        name: matmul_peak(device, dtype, side, 20)
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    }
    shares, hours = {}, {}
    for name, way in ours.items():
        way.set_up()
        tested = test_rate(way.learner.model, reader, way.recipe, way.engine, cache)
        way.learner.model.train()
        shares[name] = round(share_of_peak(rates[name], macs, peak[way.engine.precision]), 4)
        hours[name] = {
            "test_clips_per_second": round(tested, 2),
            "hours": round(projected_hours(rates[name], tested, decode_rate), 2),
        }
    return {
        "matmul_peak_tflops": {name: round(value / 1e12, 2) for name, value in peak.items()},
        "share_of_peak": shares,
        "dfew_five_folds_70_epochs": hours,
        "cache": {
            "kind": "none" if cache is None else cache.kind,
            "frames_per_second_into_it": round(decode_rate, 1),
            "gigabytes_at_dfew": round(DFEW_FRAMES * SIDE * SIDE * 3 / 1e9, 1),
        },
    }


def best(rows: Mapping[str, Mapping[str, Any]], precision: str) -> dict[str, Any] | None:
    """The quickest of ours in a precision; None if none of them was timed."""
    known = {name: row for name, row in rows.items() if "ratio" in row and row["engine"]["precision"] == precision}
    if not known:
        return None
    name = max(known, key=lambda name: known[name]["clips_per_second"])
    keys = ("clips_per_second", "ratio", "ratio_of_process_seconds")
    return {"engine": name, **{key: known[name][key] for key in keys}}


@dataclass(frozen=True)
class Bench:
    """Both halves on the same clips with the same weights."""

    reader: ShardReader
    cache: FrameCache | None
    decode_rate: float  # frames per second, of opening the cache
    settings: NRDFERNetSettings
    plain: PlainLoop
    ours: dict[str, OurTraining]


def prepare(
    folders: Sequence[Path],
    shards: Path,
    settings: NRDFERNetSettings,
    recipe: Recipe,
    engines: Mapping[str, Engine],
    device: torch.device,
) -> Bench:
    """Write the shards, and make every way ready to begin."""
    reader = shard_folders(folders, shards)
    data = ClipDataset(reader, reader.clip_ids, image_size=SIDE, sampling=recipe.sampling, augment=recipe.augment)
    first = next(iter(engines.values()))
    started = time.perf_counter()
    cache = open_cache(reader, reader.clip_ids, first.cache, device, workers=first.workers)
    decode_rate = sum(data.n_frames) / (time.perf_counter() - started)
    torch.manual_seed(recipe.seed)
    start = NRDFERNet(settings).state_dict()

    def fresh(network: type[NRDFERNet]) -> Any:
        model = network(settings)
        model.load_state_dict(start)
        return model

    pictures = LabelledPictures(PictureFolders(folders, recipe.augment), data.labels.tolist())
    plain = PlainLoop(fresh(ContiguousNRDFERNet), pictures, recipe, device)
    ours = {
        name: OurTraining(fresh(NRDFERNet), data, recipe, engine, device, cache) for name, engine in engines.items()
    }
    return Bench(reader, cache, decode_rate, settings, plain, ours)


def measure(made: Bench, batch: int, rounds: int, steps: int, device: torch.device) -> dict[str, Any]:
    """Every figure of the bench."""
    rng, count = np.random.default_rng(0), len(made.reader.clip_ids)

    def parts(number: int) -> list[Positions]:
        epochs = -(-number * batch // count)
        order = np.concatenate([rng.permutation(count) for _ in range(epochs)])
        return [order[start : start + batch] for start in range(0, number * batch, batch)]

    clocks, left_out = in_turns({"plain": made.plain, **made.ours}, parts, rounds, steps, device)
    with torch.device("meta"):
        network = NRDFERNet(made.settings).eval()
        macs = count_macs(lambda: network(torch.empty(1, made.settings.frames, 3, SIDE, SIDE)))
    rates = {name: clock.rates(batch * steps) for name, clock in clocks.items()}
    rows: dict[str, dict[str, Any]] = {}
    for name, way in made.ours.items():
        rows[name] = {"engine": dataclasses.asdict(way.engine)}
        if name in left_out:
            rows[name]["left_out"] = left_out[name]
            continue
        mine, plain = clocks[name], clocks["plain"]
        rows[name] |= {
            **row(mine, rates[name]),
            "ratio": ratio(plain.seconds, mine.seconds),
            "ratio_of_process_seconds": ratio(plain.own, mine.own) if device.type == "cpu" else None,
        }
    nothing = dict.fromkeys(("matmul_peak_tflops", "share_of_peak", "dfew_five_folds_70_epochs", "cache"))
    timed = {name: way for name, way in made.ours.items() if name in clocks}
    medians = {name: statistics.median(figures) for name, figures in rates.items()}
    gpu = nothing
    if device.type == "cuda":
        gpu = on_gpu(timed, medians, macs, made.reader, made.cache, made.decode_rate, device=device)
    return {
        "clips": count,
        "batch": batch,
        "rounds": rounds,
        "steps_a_round": steps,
        "headline": {precision: best(rows, precision) for precision in ("fp32", "bf16")},
        "plain": row(clocks["plain"], rates["plain"]),
        "ours": rows,
        "gmacs_forward_a_clip": round(macs / 1e9, 3),
        "gflop_training_a_clip": round(step_flops(macs) / 1e9, 3),
        "parameters": count_parameters(network),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else NO_GPU,
        **gpu,
    }


def ratio(theirs: Sequence[float], mine: Sequence[float]) -> float:
    """How many times quicker, round by round: the median."""
    return round(statistics.median(t / m for t, m in zip(theirs, mine, strict=True)), 2)


def row(clock: Clock, rates: Sequence[float]) -> dict[str, Any]:
    """The figures of one way."""
    return {
        "clips_per_second": round(statistics.median(rates), 2),
        "slowest_and_quickest_round": [round(min(rates), 2), round(max(rates), 2)],
        "waiting_share": round(sum(clock.waited) / sum(clock.seconds), 4),
        "warm_up_seconds": round(clock.warm_up, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    there = torch.cuda.is_available()
    parser.add_argument("--batch", type=int, default=32 if there else 8, help="clips")
    parser.add_argument("--clips", type=int, default=256 if there else 32, help="that are rendered")
    parser.add_argument("--frames", type=int, default=40, help="of a clip")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=32 if there else 3, help="of every way in a round")
    parser.add_argument("--engines", default=",".join(ENGINES), help="which of them, and in which order")
    parser.add_argument("--workers", type=int, default=Engine.workers, help="threads of our loader")
    parser.add_argument("--cache", default=Engine.cache, help="of decoded frames: auto, none, ram, gpu")
    parser.add_argument("--threads", type=int, default=0, help="of PyTorch, of both; 0: its choice")
    parser.add_argument("--settings", type=json.loads, default={}, help="of the network, JSON, over the paper's")
    parser.add_argument("--json", type=Path, help="a file that receives the line, too")
    given = parser.parse_args()
    recipe = dataclasses.replace(RECIPES["dfew-paper"], batch=given.batch)
    asked = given.engines.split(",")
    if unknown := sorted(set(asked) - set(ENGINES)):
        parser.error(f"no engine is called {', '.join(unknown)}; known are {', '.join(ENGINES)}")
    common = {"workers": given.workers, "cache": given.cache, "threads": given.threads}
    engines = {name: Engine(**ENGINES[name], **common) for name in asked}
    device = set_up(engines[asked[0]])
    settings = resolve_settings("nr-dfernet", {**given.settings, "image_size": SIDE})
    assert isinstance(settings, NRDFERNetSettings)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        folders = render_pictures(root / "pictures", given.clips, given.frames)
        (root / "shards").mkdir()
        made = prepare(folders, root / "shards", settings, recipe, engines, device)
        figures = measure(made, given.batch, given.rounds, given.steps, device)
    line = json.dumps(
        {
            "bench": "train",
            **figures,
            "network_changed": given.settings,
            "threads": torch.get_num_threads(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "torch": torch.__version__,
        }
    )
    print(line)
    if given.json is not None:
        given.json.write_text(line + "\n")


if __name__ == "__main__":
    main()
