"""Jobs: what a user launches.

Add a job here when users should find it by name in the UI or type it after ``dagster job execute -j``.
"""

from __future__ import annotations

import dagster as dg

from assets import noise, prediction, tables
from nrdfer.experiments.catalogue import TABLES, TRAINED, TableSpec

full_reproduction = dg.define_asset_job(
    "full_reproduction",
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups(tables.GROUP, noise.GROUP, prediction.GROUP),
    description=(
        "Everything, from raw video to the report: AFEW detection, alignment, enhancement and shards; DFEW shards, "
        "five folds, training, evaluation; AFEW fine-tuned from fold 1; models registered. Steps that are up to date "
        "are not repeated. Choose the profile under resources > workbench > config > profile."
    ),
)

preprocessing = dg.define_asset_job(
    "preprocessing",
    selection=dg.AssetSelection.assets(["afew", "shards"], ["dfew", "folds"]).upstream(),
    description="Both corpora up to shards and folds; no training.",
)


def table_job(table: TableSpec) -> dg.UnresolvedAssetJobDefinition:
    """The job that fills a table: a backfill over experiments and splits, or what reads the graph's own folds."""
    last = dg.AssetSelection.assets([table.name, "table"])
    if table.name not in TRAINED:
        return dg.define_asset_job(
            table.name,
            selection=last.upstream(),
            description=f"{table.title}. Trains nothing but the five folds, if they are not there.",
        )
    return dg.define_asset_job(
        table.name,
        selection=last | dg.AssetSelection.assets([table.name, "checkpoint"], [table.name, "evaluation"]),
        description=(
            f"{table.title}. One run a partition (experiment x split); trainings share the pool gpu, and what is in "
            "the store is not repeated. Needs the job preprocessing to have run. Launch all partitions as a backfill: "
            f"dagster job backfill -j {table.name} --all --noprompt"
        ),
    )


noise_benchmark = dg.define_asset_job(
    "noise_benchmark",
    selection=dg.AssetSelection.groups(noise.GROUP),
    description=(
        "What noisy frames do to each network, on rendered clips whose every frame is known. The profile's `noise` "
        "says how large: small takes two cores about half an hour, full is for a GPU. Trainings are not repeated."
    ),
)

predict_videos = dg.define_asset_job(
    "predict_videos",
    selection=dg.AssetSelection.groups(prediction.GROUP),
    description=(
        "Emotions of every video in a folder, by a registered model (after full_reproduction there is one). Choose "
        "folder, model and windows under ops > predictions > config. The sensor new_videos launches it by itself."
    ),
)

jobs = [
    full_reproduction,
    preprocessing,
    noise_benchmark,
    predict_videos,
    *(table_job(table) for table in TABLES.values()),
]
