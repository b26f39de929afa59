"""Training the sample network (NR-DFERNet, narrow) on the rendered corpus, and measuring it.

Run as ``python -m devtools.pretraining.nrdfernet --out nr-dfernet``: fills a folder with the network as `nrdfer train`
leaves one, its preprocessing, a model card and the measurements. Steps and settings are those of the graph with the
profile ``sample``: DFEW's first fold from random weights with the recipe ``sample``, then AFEW's training videos with
``sample-afew``. What is finished stays in the folder of ``--work``, so that the same command continues.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from scipy.special import softmax
from torch import Tensor

from devtools.pretraining.common import command_line, table, write_json
from devtools.pretraining.sample_corpus import prepared_split
from nrdfer.config.profile import Profile, load_profile
from nrdfer.config.resolve import shipped_profiles
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.output_checks import in_words, refuse_unwritable
from nrdfer.core.own_files import publish, refuse_foreign, unfinished
from nrdfer.corpora.registry import corpus_of
from nrdfer.evaluation.checkpoints import EvaluationSet, evaluate_checkpoint, predictions_path
from nrdfer.models.saved_model import load_model
from nrdfer.models.trained_files import LAST, MODEL
from nrdfer.preprocessing.spec import FILE, Preprocessing
from nrdfer.shards.split import Split
from nrdfer.store import Artifact, Store, file_sha256
from nrdfer.training.callbacks import TrainingCallbacks
from nrdfer.training.loop import train_fold
from nrdfer.training.request import request_of
from nrdfer.training.step_keys import training_step
from nrdfer.weights.safetensors_file import save_safetensors
from nrdfer.weights.sample_network import CARD, FIGURES

SPLITS = ("fd1", "afew")  # in the order in which they are trained
_FIGURES = ("clips", "war", "uar", "war_unfiltered", "uar_unfiltered")


def train_sample_network(
    out: Path, work: Path, *, profile: Profile, command: str = "devtools.pretraining.nrdfernet.train_sample_network"
) -> dict[str, Any]:
    """Train on both corpora of a profile in turn, and publish the last epoch's network with its card.

    Args:
        out: receives `MODEL`, `LAST`, ``preprocessing.json``, the card and the measurements.
        work: folder with the steps' results, which a later call continues from.
        profile: corpora, network, recipes and engine.
        command: that is running, for the card.

    Returns:
        Settings and measurements.

    Raises:
        NotOursError: a file in `out` was not made by this command, or was changed.
        StoreError: `out` or `work` cannot be written to.
        NrdferError: a step failed.
    """
    names = (MODEL, LAST, FILE, CARD, FIGURES)
    for name in names:
        refuse_unwritable(out / name, folder=False)
        refuse_foreign(out / name)
    began = time.monotonic()
    store = Store(work)
    trained: Artifact | None = None
    for name in SPLITS:
        split, shards = prepared_split(store, profile, name)
        trained = _trained(store, profile, split, shards, trained)
    if trained is None:
        raise ValueError("there is no split to train on")
    try:
        with unfinished(out) as place:
            write_whole(place / MODEL, (trained.path / MODEL).read_bytes())
            save_safetensors(place / LAST, stored(load_file(trained.path / LAST)), {"command": command})
            Preprocessing.of_profile(profile).write(place / FILE)
            result = {
                "command": command,
                "splits": list(SPLITS),
                "sha256": {name: file_sha256(place / name) for name in (MODEL, LAST, FILE)},
                "bytes": (place / LAST).stat().st_size,
                "parameters": sum(p.numel() for p in load_model(place / MODEL, place / LAST).parameters()),
                "seconds": round(time.monotonic() - began),
                "device": platform.machine(),
                "torch": torch.__version__,
                "held_out": _measured(trained.path, place, split, profile),
            }
            write_json(place / FIGURES, result)
            write_whole(place / CARD, card(result).encode())
            for name in names:
                publish(place / name, out / name)
    except OSError as error:
        raise in_words(out, error) from error
    return result


def _trained(store: Store, profile: Profile, split: Split, shards: Artifact, initial: Artifact | None) -> Artifact:
    made_of = training_step(profile, split, shards.digest, initial.digest if initial else None)
    callbacks = TrainingCallbacks(on_epoch=lambda report: print(split.name, dataclasses.asdict(report), flush=True))
    weights = initial.path / LAST if initial else None
    return store.build_resumable(
        made_of.asset,
        code_version=made_of.code_version,
        config=made_of.config,
        inputs=made_of.inputs,
        build=lambda kept, out: train_fold(request_of(profile, split, kept, out, initial_weights=weights), callbacks),
    )


def stored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices and convolutions in half precision, which halves the file; vectors, as of norms, stay in single."""
    return {name: value.half() if value.ndim > 1 else value for name, value in tensors.items()}


def _measured(trained: Path, published: Path, split: Split, profile: Profile) -> dict[str, Any]:
    """Figures of the network as it is stored on the test clips, whose people are in no training clip.

    ``largest_change`` is how far storing it in half precision moved a probability of any clip.
    """
    with tempfile.TemporaryDirectory() as scratch:
        tables: dict[Path, pd.DataFrame] = {}
        for folder in (trained, published):
            out = Path(scratch) / str(len(tables))
            out.mkdir()
            figures = evaluate_checkpoint(
                folder, EvaluationSet(split.shards, split.test_ids), out,
                title=corpus_of(split.name).title, engine=profile.engine, protocols=("honest",),
            )["honest"]  # fmt: skip
            tables[folder] = pd.read_parquet(predictions_path(out, "honest")).set_index("clip_id").sort_index()
    exact, kept = tables[trained], tables[published]
    names = [name for name in exact.columns if name.startswith("logit_")]
    change = np.abs(softmax(kept[names].to_numpy(), axis=1) - softmax(exact[names].to_numpy(), axis=1)).max()
    return {
        **{name: figures[name] for name in _FIGURES},
        "largest_change": float(change),
        "changed_predictions": int((exact["predicted"] != kept["predicted"]).sum()),
    }


def card(result: Mapping[str, Any]) -> str:
    """The model card: what the weights are for, how they were made, what was measured."""
    made = {name: value for name, value in result.items() if name not in ("command", "held_out", "splits", "sha256")}
    return f"""# Sample weights: NR-DFERNet, narrow

Network: NR-DFERNet (Li et al. 2022) with the preset `sample`. Trained from random weights on rendered faces only: no
video and no photograph of a person was used.

**Use:** to try `nrdfer predict`, `nrdfer serve` and what is built on them, and to see what their results look like.

**Do not use** for conclusions about anyone: it has never seen a real face, and what it says about one means nothing.
Train on DFEW or AFEW (README.md), or name such a model with `--model`.

## How it was made

    {result["command"]}

The rendered corpus of the profile `sample`: first DFEW's fold 1 with the recipe `sample`, then the training videos of
AFEW with `sample-afew`, found, aligned and brightened as `preprocessing.json` says.

{table(made)}

{table(result["sha256"])}

## What was measured

The rendered validation videos of AFEW, of people in no training clip, with the last epoch (honest protocol) as it is
stored: matrices and convolutions in half precision, which moved no probability by more than the largest change. WAR and
UAR are shares, 1/7 is chance. Comparable to nothing that was published.

{table(result["held_out"])}
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the sample network on rendered faces.")
    parser.add_argument("--out", type=Path, required=True, help="folder to fill")
    parser.add_argument("--work", type=Path, default=Path(".nrdfer/sample-network"), help="results of the steps")
    options = parser.parse_args()
    result = train_sample_network(
        options.out,
        options.work.absolute(),
        profile=load_profile(shipped_profiles() / "sample.yaml"),
        command=command_line("devtools.pretraining.nrdfernet", options.out),
    )
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
