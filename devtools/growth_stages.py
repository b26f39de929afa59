"""The stages that ``bench/growth.py`` measures: each works on files of earlier ones, in a process of its own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from devtools.dfew_tree import SPREAD, link_clip, render_pool
from devtools.ferv39k_tree import Clip, write_labels
from nrdfer.config.profile import ShardsConfig
from nrdfer.core.emotions import AFEW_FOLDERS
from nrdfer.corpora.ferv39k import CLIPS, FERV39K, SETUP
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.loader import BatchLoader
from nrdfer.data.settings import AugmentSettings, DataSettings
from nrdfer.evaluation.checkpoints import EvaluationSet, cross_validate, evaluate_checkpoint, predictions_path
from nrdfer.lineage.data import DataWalk
from nrdfer.lineage.hashes import Hashes
from nrdfer.models.registry import build_model
from nrdfer.models.saved_model import cpu_weights, write_description, write_weights
from nrdfer.models.trained_files import BEST, LAST
from nrdfer.preprocessing import corpus_listing, folds, shards
from nrdfer.preprocessing.picture_listing import PictureListing, list_pictures
from nrdfer.runtime.engine import Engine
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.split import Split
from nrdfer.store import Artifact, Store, digest_of
from nrdfer.store.artifacts import Build
from nrdfer.training.key import FROM_SCRATCH

FRAMES, SIZE = 8, 32  # of each clip, and of its pictures in pixels
SCENES = 22
BATCHES, BATCH = 32, 32  # that the loader makes of an epoch, whatever its length
NETWORK = {"image_size": SIZE, "widths": [8, 8, 8], "spatial_depth": 1, "temporal_depth": 1}
ENGINE = Engine(device="cpu", threads=1, workers=0)
_PICTURES = 350
_CONFIG = ShardsConfig(image_size=SIZE)
_PROTOCOLS = ("honest", "paper")


def tree(place: Path, clips: int) -> None:
    """A tree in FERV39k's layout, a fifth of it to test on; its frames are links to a pool of rendered faces."""
    pool = render_pool(place / "pool", _PICTURES, 0)
    classes, scenes = list(AFEW_FOLDERS), [f"Scene{number:02d}" for number in range(SCENES)]
    made = [
        Clip(
            f"{scenes[n % SCENES]}/{classes[n // SCENES % len(classes)]}/{n:06d}", "train" if n % 5 else "test", FRAMES
        )
        for n in range(clips)
    ]
    write_labels(place / "corpus" / SETUP, made)
    for number, clip in enumerate(made):
        link_clip(place / "corpus" / CLIPS / clip.place, pool, number * SPREAD, FRAMES)


def listing(place: Path) -> None:
    """Labels, names and sha256 of every picture."""
    contents = FERV39K.read(place / "corpus")
    _store(place).build_resumable(
        FERV39K.asset("clips"),
        code_version="2",
        config={},
        inputs=corpus_listing.listing_inputs(place / "corpus", contents),
        build=lambda work, out: list_pictures(contents, work, out, workers=1),
    )


def sharding(place: Path) -> None:
    """Shards, one process."""
    clips = _only(place, "clips")
    _store(place).build_resumable(
        FERV39K.asset("shards"),
        code_version="2",
        config=dataclasses.asdict(_CONFIG),
        inputs={"clips": clips.manifest["counts"]["content_digest"]},
        build=lambda work, out: shards.shard_pictures(
            FERV39K, PictureListing(clips.path), work, out, _CONFIG, workers=1
        ),
    )


def folding(place: Path) -> None:
    """Folds and the page of the corpus's quality."""
    clips, made = _only(place, "clips"), _only(place, "shards")
    _build(
        place,
        "folds",
        {"clips": clips.manifest["counts"]["content_digest"], "shards": made.digest},
        lambda out: folds.write_folds(FERV39K, PictureListing(clips.path).folds, made.path, out),
    )


def index(place: Path) -> None:
    """Opening the shards and reading one clip."""
    with ShardReader(_only(place, "shards", verify="sizes").path) as reader:
        reader.frames(reader.clip_ids[-1])


def loader(place: Path) -> None:
    """The first 1,024 augmented clips of an epoch, with the set-up of the whole training set."""
    split = _split(place)
    with ShardReader(split.shards) as reader:
        data = ClipDataset(
            reader, split.train_ids, image_size=SIZE, emotions=FERV39K.emotions, augment=AugmentSettings()
        )
        order = np.random.default_rng(0).permutation(len(split.train_ids))
        parts = [order[at : at + BATCH] for at in range(0, len(order), BATCH)][:BATCHES]
        for batch in BatchLoader(data, torch.device("cpu"), workers=0).batches(parts, 0):
            del batch


def evaluation(place: Path) -> None:
    """Predictions, figures and pictures of the test clips under two protocols, with a network of no training."""
    split, checkpoint = _split(place), _only(place, "checkpoint")
    clips = EvaluationSet(split.shards, list(split.test_ids), DataSettings(), split.train_ids)
    _build(
        place,
        "evaluation",
        {"checkpoint": checkpoint.digest},
        lambda out: {
            "metrics": evaluate_checkpoint(
                checkpoint.path, clips, out, title="growth", engine=ENGINE, protocols=_PROTOCOLS
            )
        },
    )


def checkpoint(place: Path) -> None:
    """What a training leaves, without the training: weights at random, and the digests that lineage follows."""
    split = _split(place)

    def build(out: Path) -> Mapping[str, object]:
        weights = cpu_weights(build_model("nr-dfernet", NETWORK))
        write_weights(out / LAST, weights)
        write_weights(out / BEST, weights)
        write_description(out, "nr-dfernet", NETWORK, {"sampling": {}})
        return {}

    clips = digest_of([sorted(split.train_ids), sorted(split.test_ids)])
    made = {"shards": _only(place, "shards").digest, "clips": clips, "initial": FROM_SCRATCH}
    _build(place, "checkpoint", made, build)


def report(place: Path) -> None:
    """The figures of five folds, pooled, as the report has them."""
    found, out = _only(place, "evaluation"), place / "report"
    out.mkdir()
    copies = {f"fd{fold}": place / f"fd{fold}" for fold in range(1, 6)}
    for fold, folder in copies.items():  # the same answers under other names
        folder.mkdir()
        for protocol in _PROTOCOLS:
            table = pd.read_parquet(predictions_path(found.path, protocol))
            table["clip_id"] = fold + "_" + table["clip_id"]
            table.to_parquet(predictions_path(folder, protocol), index=False)
    cross_validate(copies, dict.fromkeys(copies, found.path), FERV39K.emotions, out)


def lineage(place: Path) -> None:
    """The way from a checkpoint to every picture's source, each file hashed.

    Raises:
        SystemExit: a link is broken.
    """
    walk = DataWalk(_store(place), Hashes())
    links = list(walk.checkpoint(FERV39K.asset("checkpoint"), _only(place, "checkpoint", verify="sizes").digest))
    if broken := [link for link in links if link.problem]:
        raise SystemExit(json.dumps([f"{link.kind} {link.name}: {link.problem}" for link in broken[:3]]))


#: In the order of the graph; what is not measured prepares what is.
STAGES: Mapping[str, Callable[[Path], None]] = {
    "listing": listing,
    "sharding": sharding,
    "folds": folding,
    "index": index,
    "loader": loader,
    "checkpoint": checkpoint,
    "evaluation": evaluation,
    "report": report,
    "lineage": lineage,
}
PREPARE = ("checkpoint",)


def _store(place: Path) -> Store:
    return Store(place / "store")


def _only(place: Path, step: str, verify: str = "full") -> Artifact:
    store = _store(place)
    [found] = store.find(FERV39K.asset(step))
    return store.open(FERV39K.asset(step), found.digest, verify="sizes" if verify == "sizes" else "full")


def _build(place: Path, step: str, inputs: Mapping[str, str], build: Build) -> None:
    _store(place).build(FERV39K.asset(step), code_version="growth", config={}, inputs=inputs, build=build)


def _split(place: Path) -> Split:
    made = _only(place, "shards", verify="sizes").path
    return folds.read_split(FERV39K, "ferv39k", made, _only(place, "folds").path / folds.FOLDS_FILE)
