"""Clips per second of a training: this project's loop, by engine, and the plain loop of the same network.

The plain loop is what published code does: pictures of 224 x 224 opened and changed one by one with PIL (``loader``; on
a GPU by a ``DataLoader``'s processes), the network in PyTorch's usual memory layout, cross-entropy, backward, SGD, and
``loss.item()`` at every step; float32 without TF32. Ours is what ``nrdfer train`` runs: shards, `BatchLoader` and
`Learner`. Both have the same weights, clips and recipe (dfew-paper). A step is everything: loading, augmentation,
forward, backward, optimiser. The ways take turns; a turn's first step fills the loader's queue and is not timed.

``python -m bench.train [--batch N] [--clips N] [--rounds N] [--steps N] [--engines A,B] [--json FILE]`` prints one line
of JSON. Rates are medians over rounds, ratios medians of the ratios within a round; ``ratio_of_process_seconds`` (on a
CPU) is the same by the seconds that this process computed, which a busy machine disturbs less. ``warm_up_seconds`` is
what came before: two steps, with compilation. ``--against-former-dfer PATH`` trains the network of Former-DFER's
released code, in a folder of yours, by the plain loop in the same rounds; ours have their ratio to it, too. ``auto`` is
what ``engine: {auto: true}`` picks here, measured before the rounds. On a GPU also: its measured peak, the share of it
that is reached, and how long five folds of 70 epochs of DFEW would take.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from devtools.picture_folders import SIDE, render_pictures
from devtools.training_bench.clocks import best, in_turns, ratio, row
from devtools.training_bench.former_dfer import NotFormerDferError, load_former_dfer
from devtools.training_bench.gpu import on_gpu, step_flops
from devtools.training_bench.prepare import Bench, prepare
from devtools.training_bench.ways import Way
from nrdfer.config.recipe import RECIPES, Recipe
from nrdfer.core.errors import NotOursError
from nrdfer.core.own_files import refuse_foreign, write_made
from nrdfer.data.loader import Positions
from nrdfer.models.flops import count_macs, count_parameters
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.models.registry import resolve_settings
from nrdfer.runtime.determinism import set_up
from nrdfer.runtime.engine import Engine
from nrdfer.training.pick import measured
from nrdfer.training.request import TrainingRequest

#: Ours, by name; settings that are left out have the engine's default.
ENGINES: dict[str, dict[str, Any]] = {
    "reference": {},
    "fp32-compile-fused": {"compile": True, "fused": True, "deterministic": False},
    "bf16": {"precision": "bf16", "deterministic": False},
    "bf16-compile-fused": {"precision": "bf16", "compile": True, "fused": True, "deterministic": False},
    "auto": {"auto": True},
}
#: Further ones, which need a GPU.
OF_GPU: dict[str, dict[str, Any]] = {
    "bf16-graphs-fused": {"precision": "bf16", "graphs": True, "fused": True, "deterministic": False},
    "bf16-compile-graphs-fused": {
        "precision": "bf16", "compile": True, "graphs": True, "fused": True, "deterministic": False,
    },
}  # fmt: skip
NO_GPU = "none on this machine"


def measure(made: Bench, batch: int, rounds: int, steps: int, device: torch.device) -> dict[str, Any]:
    """Every figure of the bench."""
    rng, count = np.random.default_rng(0), len(made.reader.clip_ids)

    def parts(number: int) -> list[Positions]:
        epochs = -(-number * batch // count)
        order = np.concatenate([rng.permutation(count) for _ in range(epochs)])
        return [order[start : start + batch] for start in range(0, number * batch, batch)]

    theirs: dict[str, Way] = {} if made.former_dfer is None else {"former_dfer": made.former_dfer}
    clocks, left_out = in_turns({"plain": made.plain, **theirs, **made.ours}, parts, rounds, steps, device)
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
        if (former := clocks.get("former_dfer")) is not None:
            rows[name]["ratio_to_former_dfer"] = ratio(former.seconds, mine.seconds)
            if device.type == "cpu":
                rows[name]["ratio_to_former_dfer_of_process_seconds"] = ratio(former.own, mine.own)
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
        **{name: row(clocks[name], rates[name]) for name in theirs},
        "ours": rows,
        "gmacs_forward_a_clip": round(macs / 1e9, 3),
        "gflop_training_a_clip": round(step_flops(macs) / 1e9, 3),
        "parameters": count_parameters(network),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else NO_GPU,
        **gpu,
    }


def picked(engine: Engine, recipe: Recipe, settings: NRDFERNetSettings, shards: Path) -> Engine:
    """What the engine picks on this machine for the bench's training."""
    ids = ("00000",), ("00001",)
    request = TrainingRequest(
        "nr-dfernet", settings.to_dict(), recipe, engine, shards, *ids, shards.parent / "work", shards.parent / "out"
    )
    return dataclasses.replace(engine, **measured(request).options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    there = torch.cuda.is_available()
    parser.add_argument("--batch", type=int, default=32 if there else 8, help="clips")
    parser.add_argument("--clips", type=int, default=256 if there else 32, help="that are rendered")
    parser.add_argument("--frames", type=int, default=40, help="of a clip")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=32 if there else 3, help="of every way in a round")
    known = {**ENGINES, **OF_GPU} if there else ENGINES
    usual = [name for name in known if name != "auto"]
    parser.add_argument("--engines", default=",".join(usual), help=f"of {', '.join(known)}, in which order")
    parser.add_argument("--against-former-dfer", type=Path, metavar="PATH", help="folder of its released code")
    parser.add_argument("--workers", type=int, default=Engine.workers, help="threads of our loader")
    parser.add_argument("--cache", default=Engine.cache, help="of decoded frames: auto, none, ram, gpu")
    parser.add_argument("--threads", type=int, default=0, help="of PyTorch, of both; 0: its choice")
    parser.add_argument("--settings", type=json.loads, default={}, help="of the network, JSON, over the paper's")
    parser.add_argument("--json", type=Path, help="a file that receives the line, too")
    given = parser.parse_args()
    if given.json is not None:
        try:
            refuse_foreign(given.json)
        except NotOursError as error:
            parser.error(str(error))
    recipe = dataclasses.replace(RECIPES["dfew-paper"], batch=given.batch)
    asked = given.engines.split(",")
    if unknown := sorted(set(asked) - set(known)):
        parser.error(f"no engine is called {', '.join(unknown)}; known are {', '.join(known)}")
    common = {"workers": given.workers, "cache": given.cache, "threads": given.threads}
    engines = {name: Engine(**known[name], **common) for name in asked}
    device = set_up(engines[asked[0]])
    theirs = None
    if given.against_former_dfer is not None:
        torch.manual_seed(recipe.seed)
        try:
            theirs = load_former_dfer(given.against_former_dfer)
        except NotFormerDferError as error:
            parser.error(str(error))
    settings = resolve_settings("nr-dfernet", {**given.settings, "image_size": SIDE})
    assert isinstance(settings, NRDFERNetSettings)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        folders = render_pictures(root / "pictures", given.clips, given.frames)
        (root / "shards").mkdir()
        if "auto" in engines:
            engines["auto"] = picked(engines["auto"], recipe, settings, root / "shards")
        made = prepare(folders, root / "shards", settings, recipe, engines, device, theirs)
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
        write_made(given.json, f"{line}\n".encode())


if __name__ == "__main__":
    main()
