"""DFEW from face pictures to shards, once, and its five folds as lists of clip ids.

Keep here: DFEW's data assets. Keep out: what is trained on them (``training.py``).
"""

import dagster as dg

from assets import asset_groups
from assets.metadata import quality, reasons_table
from assets.project_resource import Workbench
from assets.step_results import materialize, progress_logger, step
from nrdfer.store import Artifact


@dg.asset(
    key=["dfew", "shards"],
    ins={"clips": dg.AssetIn(key=["dfew", "clips"])},
    group_name=asset_groups.SHARDS.name,
    kinds={"webdataset"},
    description=asset_groups.description(
        "All of DFEW's clips as WebDataset shards with an index, written once for all five folds.",
        "`dfew/clips` and the profile's `shards` (clips a shard, size and quality of the pictures).",
        "`clips`, `emotions` and `set_aside`. `nrdfer shards show CLIP` shows one clip.",
    ),
)
def dfew_shards(
    context: dg.AssetExecutionContext, workbench: Workbench, clips: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Write the shards."""
    with step(context):
        import dataclasses

        from nrdfer.preprocessing import shards as shard
        from nrdfer.preprocessing.dfew_listing import DfewListing

        settings = workbench.settings
        config = settings.shards
        artifact = workbench.store.build_resumable(
            "dfew/shards",
            code_version="2",
            config=dataclasses.asdict(config),
            inputs={"clips": clips.manifest["counts"]["content_digest"]},
            build=lambda work, out: shard.shard_dfew(
                DfewListing(clips.path),
                work,
                out,
                config,
                workers=settings.workers,
                progress=progress_logger(context, "clips in shards"),
            ),
        )
        return materialize(context, artifact, **artifact.manifest["counts"])


@dg.asset(
    key=["dfew", "folds"],
    ins={
        "clips": dg.AssetIn(key=["dfew", "clips"]),
        "shards": dg.AssetIn(key=["dfew", "shards"]),
    },
    group_name=asset_groups.SHARDS.name,
    kinds={"json"},
    description=asset_groups.description(
        "The five folds as lists of clip ids for training and test; no pixel is copied.",
        "DFEW's published label files, as far as their clips are in `dfew/shards`.",
        "`quality`, the corpus at a glance; `quality_page`, every clip of it; `clips_set_aside`; the check "
        "`folds_are_disjoint`, that no clip is in both the training and the test set of a fold.",
    ),
)
def dfew_folds(
    context: dg.AssetExecutionContext, workbench: Workbench, clips: Artifact, shards: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Assemble the folds, and look at every clip."""
    with step(context):
        from nrdfer.preprocessing.clip_files import SET_ASIDE, read_reasons
        from nrdfer.preprocessing.dfew_listing import DfewListing
        from nrdfer.preprocessing.folds import write_folds

        artifact = workbench.store.build(
            "dfew/folds",
            code_version="2",
            config={},
            inputs={"clips": clips.manifest["counts"]["content_digest"], "shards": shards.digest},
            build=lambda out: write_folds(
                DfewListing(clips.path).folds, shards.path, out, progress_logger(context, "clips looked at")
            ),
        )
        metadata = {**quality(artifact.path), "clips_set_aside": reasons_table(read_reasons(shards.path / SET_ASIDE))}
        return materialize(context, artifact, **artifact.manifest["counts"], **metadata)
