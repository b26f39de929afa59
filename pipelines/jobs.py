"""Jobs: what a user launches.

Add a job here when users should find it by name in the UI or type it after ``dagster job execute -j``.
"""

from __future__ import annotations

import dagster as dg

full_reproduction = dg.define_asset_job(
    "full_reproduction",
    selection=dg.AssetSelection.all(),
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

jobs = [full_reproduction, preprocessing]
