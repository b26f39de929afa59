"""Faces as shards, and folds as lists of clip ids: what every training reads.

Keep here: the last data assets of a corpus. Keep out: how faces are found (``faces.py``), what is trained on them
(``training.py``).
"""

import dagster as dg

from assets import asset_groups
from assets.chunked_assets import EARLY
from assets.metadata import quality, reasons_table
from assets.project_resource import Workbench
from assets.step_results import materialize, progress_logger, step
from nrdfer.corpora.base import Corpus
from nrdfer.store import Artifact


def shards_asset(corpus: Corpus) -> dg.AssetsDefinition:
    """The shards of a corpus: of its aligned and enhanced faces, or of its face pictures."""
    source = corpus.asset("enhanced_faces" if corpus.videos else corpus.listing)
    argument = source.split("/")[1]
    what = f"{corpus.title}'s faces" if corpus.videos else f"All of {corpus.title}'s clips"

    @dg.asset(
        key=corpus.asset("shards").split("/"),
        ins={argument: dg.AssetIn(key=source.split("/"))},
        group_name=asset_groups.group_of(corpus, asset_groups.SHARDS),
        kinds={"webdataset"},
        op_tags=EARLY if corpus.videos else None,
        description=asset_groups.description(
            f"{what} as WebDataset shards with an index: what training reads, written once for all splits. "
            "Byte-identical whoever builds them.",
            f"`{source}` and the profile's `shards` (clips a shard, size and quality of the pictures).",
            "`clips`, `emotions` and `set_aside`; the checks tell whether anything was lost. `nrdfer shards show CLIP` "
            "shows one clip.",
        ),
    )
    def shards(
        context: dg.AssetExecutionContext, workbench: Workbench, **read: Artifact
    ) -> dg.MaterializeResult[Artifact]:
        with step(context):
            import dataclasses

            from nrdfer.preprocessing import shards as shard
            from nrdfer.preprocessing.dfew_listing import DfewListing

            settings, made = workbench.settings, read[argument]
            progress = progress_logger(context, "clips in shards")
            artifact = workbench.store.build_resumable(
                corpus.asset("shards"),
                code_version="1" if corpus.videos else "2",
                config=dataclasses.asdict(settings.shards),
                inputs={argument: made.digest if corpus.videos else made.manifest["counts"]["content_digest"]},
                build=lambda work, out: (
                    shard.shard_aligned(corpus, made.path, work, out, settings.shards, progress)
                    if corpus.videos
                    else shard.shard_dfew(
                        corpus,
                        DfewListing(made.path),
                        work,
                        out,
                        settings.shards,
                        workers=settings.workers,
                        progress=progress,
                    )
                ),
            )
            return materialize(context, artifact, **artifact.manifest["counts"])

    return shards


def folds_asset(corpus: Corpus) -> dg.AssetsDefinition:
    """The folds of a corpus."""
    listing, shards_key = corpus.asset(corpus.listing), corpus.asset("shards")

    @dg.asset(
        key=corpus.asset("folds").split("/"),
        ins={"listing": dg.AssetIn(key=listing.split("/")), "shards": dg.AssetIn(key=shards_key.split("/"))},
        group_name=asset_groups.group_of(corpus, asset_groups.SHARDS),
        kinds={"json"},
        description=asset_groups.description(
            "The folds as lists of clip ids for training and test; no pixel is copied.",
            f"{corpus.title}'s published label files, as far as their clips are in `{shards_key}`.",
            "`quality`, the corpus at a glance; `quality_page`, every clip of it; `clips_set_aside`; the check "
            "`folds_are_disjoint`, that no clip is in both the training and the test set of a fold.",
        ),
    )
    def folds(
        context: dg.AssetExecutionContext, workbench: Workbench, listing: Artifact, shards: Artifact
    ) -> dg.MaterializeResult[Artifact]:
        with step(context):
            from nrdfer.preprocessing.clip_files import SET_ASIDE, read_reasons
            from nrdfer.preprocessing.dfew_listing import open_listing
            from nrdfer.preprocessing.folds import write_folds

            artifact = workbench.store.build(
                corpus.asset("folds"),
                code_version="2",
                config={},
                inputs={corpus.listing: listing.manifest["counts"]["content_digest"], "shards": shards.digest},
                build=lambda out: write_folds(
                    corpus,
                    open_listing(corpus, listing.path).folds,
                    shards.path,
                    out,
                    progress_logger(context, "clips looked at"),
                ),
            )
            aside = reasons_table(read_reasons(shards.path / SET_ASIDE))
            counts = artifact.manifest["counts"]
            return materialize(context, artifact, **counts, **quality(artifact.path), clips_set_aside=aside)

    return folds
