"""Jobs: what a user launches.

Add a job here when users should find it by name in the UI or type it after ``dagster job execute -j``.
"""

from __future__ import annotations

import dagster as dg

from assets import asset_groups, noise, prediction
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.dfew import DFEW
from nrdfer.corpora.registry import trained_corpora
from nrdfer.experiments.catalogue import TABLES, TRAINED, TableSpec
from pipelines.resources import EnvironmentWorkbench

TAG_PURPOSE = "nrdfer/purpose"  # of a run: the list of runs can be filtered by it
_PROFILE = EnvironmentWorkbench().profile
#: What the launchpad begins with; what is left out keeps its default (pipelines/resources.py).
LAUNCHPAD = {"resources": {"workbench": {"config": {"profile": _PROFILE, "overrides": {}}}}}
EXAMPLE = """\
resources:
  workbench:
    config:
      profile: paper                # sample, quick or paper
      afew_root: /data/AFEW         # holds Train_AFEW and Val_AFEW
      dfew_root: /data/DFEW         # holds EmoLabel_DataSplit and Clip
      dfew_recipe: {epochs: 10}     # what is left out stays as the profile says
      engine: {precision: bf16}
      overrides:                    # what has no field of its own
        model_settings: {mu1: 0.6}
"""

full_reproduction = dg.define_asset_job(
    "full_reproduction",
    selection=dg.AssetSelection.groups(*(group.name for group in asset_groups.MAIN)),
    config=LAUNCHPAD,
    tags={TAG_PURPOSE: "reproduction"},
    description=(
        f"Everything, from raw video to the report.\n\n{asset_groups.overview()}\n\n"
        "*Materialize all* launches it as it is; the profile `sample` needs no data of yours. What is up to date is "
        "not repeated; a run that was killed is continued by the next. For your own copies of the corpora, take "
        "the arrow beside it, *Open launchpad*, paste this and change it (the editor explains every field):\n\n"
        f"```yaml\n{EXAMPLE}```"
    ),
)

REPORT = dg.AssetSelection.assets(["report"])
FROM_SCRATCH = {"initial": {AFEW.name: "none"}}  # of a profile: AFEW's training needs nothing of DFEW


def part_job(name: str, last: dg.AssetSelection, description: str) -> dg.UnresolvedAssetJobDefinition:
    """The job of a part of the reproduction: what it needs, and the report of what there is."""
    return dg.define_asset_job(
        name,
        selection=last.upstream() | REPORT,
        config=LAUNCHPAD,
        tags={TAG_PURPOSE: "reproduction"},
        description=f"{description} The report shows what there is. From the shell also: `nrdfer run --only`.",
    )


dfew_reproduction = part_job(
    "dfew_reproduction",
    dg.AssetSelection.assets(DFEW.asset("cross_validation").split("/")),
    "DFEW alone, from its clips to its five folds' figures; needs nothing of AFEW.",
)
afew_reproduction = part_job(
    "afew_reproduction",
    dg.AssetSelection.assets(AFEW.asset("evaluation").split("/")),
    "AFEW, and DFEW's first fold, from whose network AFEW's training starts as the paper's does.",
)
fold_jobs = [
    part_job(
        f"dfew_{fold}",
        dg.AssetSelection.assets(DFEW.asset("evaluation", fold).split("/")),
        f"DFEW's fold {fold} alone, from the clips to its figures.",
    )
    for fold in DFEW.splits
]
afew_from_scratch = dg.define_asset_job(
    "afew_from_scratch",
    selection=dg.AssetSelection.key_prefixes([AFEW.name]) | REPORT,
    config={"resources": {"workbench": {"config": {"profile": _PROFILE, "overrides": FROM_SCRATCH}}}},
    tags={TAG_PURPOSE: "reproduction"},
    description=(
        "AFEW without DFEW, from its videos to its figures: the network is trained from scratch, not from DFEW's first "
        "fold as in the paper, and the results say so. A run config of your own must have `initial: {afew: none}` "
        "under `overrides`, too. From the shell also: `nrdfer run --only afew` where no DFEW is given."
    ),
)

#: Jobs of parts of the reproduction; each ends with the report of what there is.
parts = [dfew_reproduction, *fold_jobs, afew_reproduction, afew_from_scratch]


def corpora_of_paper() -> tuple[Corpus, ...]:
    """The corpora of the paper."""
    return tuple(corpus for corpus in trained_corpora() if corpus.of_paper)


preprocessing = dg.define_asset_job(
    "preprocessing",
    selection=dg.AssetSelection.groups(
        *(group.name for group in (asset_groups.CORPORA, asset_groups.FACES, asset_groups.SHARDS))
    ),
    config=LAUNCHPAD,
    tags={TAG_PURPOSE: "data"},
    description=(
        "Both corpora up to shards and folds, with all checks; no training. Run it first on a new copy of a corpus: "
        "its defects are reported here, before hours of training."
    ),
)


def corpus_job(corpus: Corpus) -> dg.UnresolvedAssetJobDefinition:
    """The job of a corpus that is not the paper's: everything from its listing to its figures."""
    return dg.define_asset_job(
        f"{corpus.name}_reproduction",
        selection=dg.AssetSelection.groups(corpus.name),
        config=LAUNCHPAD,
        tags={TAG_PURPOSE: "reproduction"},
        description=f"{corpus.title}, from {corpus.variable} to its figures.",
    )


def table_job(table: TableSpec) -> dg.UnresolvedAssetJobDefinition:
    """The job that fills a table: a backfill over experiments and splits, or assets that read the graph's own folds."""
    last = dg.AssetSelection.assets([table.name, "table"])
    if table.name not in TRAINED:
        return dg.define_asset_job(
            table.name,
            selection=last.upstream(),
            config=LAUNCHPAD,
            tags={TAG_PURPOSE: "table"},
            description=f"{table.title}. Trains nothing but the five folds, if they are not there.",
        )
    return dg.define_asset_job(
        table.name,
        selection=last | dg.AssetSelection.assets([table.name, "checkpoint"], [table.name, "evaluation"]),
        tags={TAG_PURPOSE: "table"},
        description=(
            f"{table.title}. One run per partition (experiment x split); trainings share the pool gpu, and what is in "
            "the store is not repeated. Needs the job preprocessing to have run. Launch all partitions as a backfill: "
            f"dagster job backfill -j {table.name} --all --noprompt"
        ),
    )


noise_benchmark = dg.define_asset_job(
    "noise_benchmark",
    selection=dg.AssetSelection.groups(noise.GROUP),
    config=LAUNCHPAD,
    tags={TAG_PURPOSE: "noise"},
    description=(
        "What noisy frames do to each network, on rendered clips whose every frame is known. The profile's `noise` "
        "sets the size: small is meant for two cores, full for a GPU. Trainings are not repeated."
    ),
)

predict_videos = dg.define_asset_job(
    "predict_videos",
    selection=dg.AssetSelection.groups(prediction.GROUP),
    tags={TAG_PURPOSE: "prediction"},
    description=(
        "Emotions of every video in a folder, by a registered model (after full_reproduction there is one). Choose "
        "folder, model and windows under ops > predictions > config. The sensor new_videos launches it automatically."
    ),
)

jobs = [
    full_reproduction,
    *parts,
    *(corpus_job(corpus) for corpus in trained_corpora() if not corpus.of_paper),
    preprocessing,
    noise_benchmark,
    predict_videos,
    *(table_job(table) for table in TABLES.values()),
]
