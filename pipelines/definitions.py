"""The Dagster code location: all assets, jobs, resources and the executor, combined.

Keep here: the one `Definitions` object. Keep out: any definition itself, and anything that imports torch: every
step process and the code server import this module.
"""

from __future__ import annotations

import dagster as dg

from assets import noise, prediction, report, tables
from assets.corpus_branch import corpus_assets
from nrdfer.corpora.registry import trained_corpora
from pipelines import last_words
from pipelines.asset_specs import presented
from pipelines.checks import checks
from pipelines.dagster_caches import keep_schemas
from pipelines.engines import chosen_executor
from pipelines.jobs import jobs
from pipelines.resources import resources
from pipelines.sensors import sensors

last_words.install()  # every process of a run loads this module
keep_schemas()
defs = dg.Definitions(
    assets=presented(
        [
            *(asset for corpus in trained_corpora() for asset in corpus_assets(corpus)),
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
    executor=chosen_executor(),
)
