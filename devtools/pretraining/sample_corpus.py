"""The rendered corpora as shards in a store: the graph's steps, one after the other and without Dagster.

Steps have the names of the graph's assets; training on what they make belongs to `devtools.pretraining.nrdfernet`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.registry import corpus_of
from nrdfer.preprocessing import shards as shard_steps
from nrdfer.preprocessing.align import align_corpus
from nrdfer.preprocessing.corpus_listing import VideoListing, corpus_root, list_videos, listing_inputs
from nrdfer.preprocessing.enhance import EnhanceOptions, enhance_corpus
from nrdfer.preprocessing.folds import read_split, write_folds
from nrdfer.preprocessing.picture_listing import PictureListing, list_pictures
from nrdfer.preprocessing.video_crops import CropOptions
from nrdfer.shards.split import Split
from nrdfer.store import Artifact, Store, file_sha256
from nrdfer.weights.locate import network_weights

_CODE = "1"  # version of these steps


def prepared_split(store: Store, profile: Profile, name: str) -> tuple[Split, Artifact]:
    """A split of a profile's corpora and the shards that hold it; steps that are in the store are not repeated.

    Raises:
        NrdferError: a step failed.
    """
    corpus = corpus_of(name)
    return _of_videos(store, profile, corpus, name) if corpus.videos else _of_pictures(store, profile, corpus, name)


def _of_pictures(store: Store, profile: Profile, corpus: Corpus, name: str) -> tuple[Split, Artifact]:
    root = corpus_root(profile, corpus)
    contents = corpus.read(root)
    listing = store.build_resumable(
        corpus.asset(corpus.listing),
        code_version=_CODE,
        config={},
        inputs=listing_inputs(root, contents),
        build=lambda work, out: list_pictures(contents, work, out, workers=profile.workers),
    )
    shards = _step(
        store,
        corpus.asset("shards"),
        listing,
        dataclasses.asdict(profile.shards),
        lambda work, out: shard_steps.shard_pictures(
            corpus, PictureListing(listing.path), work, out, profile.shards, workers=profile.workers
        ),
    )
    folds = _step(
        store,
        corpus.asset("folds"),
        shards,
        {},
        lambda _, out: write_folds(corpus, PictureListing(listing.path).folds, shards.path, out),
    )
    return read_split(corpus, name, shards.path, folds.path), shards


def _of_videos(store: Store, profile: Profile, corpus: Corpus, name: str) -> tuple[Split, Artifact]:
    root = corpus_root(profile, corpus)
    contents = corpus.read(root)
    listing = store.build_resumable(
        corpus.asset(corpus.listing),
        code_version=_CODE,
        config={},
        inputs=listing_inputs(root, contents),
        build=lambda _, out: list_videos(corpus, contents, out),
    )
    rows = VideoListing(corpus, listing.path).rows
    detector, enhancer = (network_weights(network, profile.weights) for network in ("retinaface", "enlightengan"))
    aligned = _step(
        store,
        corpus.asset("aligned_faces"),
        listing,
        {**profile.section("align"), "weights": file_sha256(detector)},
        lambda work, out: align_corpus(rows, CropOptions(detector, profile.align, device=profile.device), work, out),
    )
    enhanced = _step(
        store,
        corpus.asset("enhanced_faces"),
        aligned,
        {"enhance": profile.enhance, "weights": file_sha256(enhancer)},
        lambda work, out: enhance_corpus(
            aligned.path, EnhanceOptions(profile.enhance, enhancer, profile.device), work, out
        ),
    )
    shards = _step(
        store,
        corpus.asset("shards"),
        enhanced,
        dataclasses.asdict(profile.shards),
        lambda work, out: shard_steps.shard_aligned(corpus, enhanced.path, work, out, profile.shards),
    )
    return read_split(corpus, name, shards.path), shards


def _step(store: Store, asset: str, before: Artifact, config: dict[str, Any], build: Any) -> Artifact:
    print(f"{asset}...", flush=True)
    return store.build_resumable(
        asset, code_version=_CODE, config=config, inputs={before.asset: before.digest}, build=build
    )
