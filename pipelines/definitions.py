"""The Dagster code location: all assets, jobs, resources and the executor, put together.

Keep here: the one `Definitions` object. Keep out: any definition itself, and anything that imports torch: every
step process and the code server import this module.
"""

from __future__ import annotations

import dagster as dg

from assets import afew, dfew, evaluation, listings, noise, prediction, report, tables, training
from pipelines import last_words
from pipelines.asset_specs import presented
from pipelines.checks import checks
from pipelines.executor import repairing_executor
from pipelines.jobs import jobs
from pipelines.resources import resources
from pipelines.sensors import sensors

last_words.install()  # every process of a run loads this module
defs = dg.Definitions(
    assets=presented(
        [
            listings.afew_videos,
            listings.dfew_clips,
            afew.afew_aligned_faces,
            afew.afew_enhanced_faces,
            afew.afew_shards,
            dfew.dfew_shards,
            dfew.dfew_folds,
            *training.fold_checkpoints,
            training.afew_checkpoint,
            *evaluation.fold_evaluations,
            evaluation.dfew_cross_validation,
            evaluation.afew_evaluation,
            report.report,
            *tables.tables,
            *noise.assets,
            prediction.predictions,
        ]
    ),
    asset_checks=checks,
    jobs=jobs,
    sensors=sensors,
    resources=resources,
    executor=repairing_executor,
)
