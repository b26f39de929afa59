"""The paper's tables: for each one its trainings and evaluations, partitioned by experiment and split, and the table.

Keep here: what a table's assets are. Keep out: which experiments there are (``nrdfer.experiments.catalogue``), and how
a split is trained and evaluated (``training.py``, ``evaluation.py``: the same functions as the graph's folds).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from assets import asset_groups
from assets import evaluation as evaluations
from assets import training as trainings
from assets.pictures import picture
from assets.project_resource import Workbench, describe
from assets.step_results import provenance, step
from assets.training import NODES, RETRY
from nrdfer.corpora.dfew import DFEW
from nrdfer.corpora.registry import corpus_of, initial_of
from nrdfer.experiments.catalogue import TABLES, TRAINED, Experiment, TableSpec
from nrdfer.store import Artifact

if TYPE_CHECKING:
    from nrdfer.experiments.results import Results

GROUP = asset_groups.TABLES.name
EXPERIMENT, SPLIT = "experiment", "split"  # dimensions of the partitions


def _results(workbench: Workbench) -> "Results":
    from nrdfer.experiments.results import Results

    return Results(workbench.settings, workbench.store)


def _of_partition(context: dg.AssetExecutionContext, table: TableSpec) -> tuple[Experiment, str]:
    key = context.partition_key
    if not isinstance(key, dg.MultiPartitionKey):
        raise dg.Failure(f"{table.name} has partitions of two dimensions, not {key!r}", allow_retries=False)
    return table.experiment(key.keys_by_dimension[EXPERIMENT]), key.keys_by_dimension[SPLIT]


def _train(
    context: dg.AssetExecutionContext,
    workbench: Workbench,
    table: TableSpec,
    experiment: Experiment,
    name: str,
    seed: int,
) -> Artifact:
    """The checkpoint of an experiment on a split, trained if it is not in the store; after the one it starts from."""
    from nrdfer.experiments.profiles import profile_of
    from nrdfer.store.pointers import last_made

    before = initial_of(workbench.settings, corpus_of(name))
    initial = _train(context, workbench, table, experiment, before, seed) if before is not None else None
    profile = profile_of(workbench.settings, experiment, seed)
    split = _results(workbench).split(name)
    shards = last_made(workbench.settings, f"{split.corpus}/shards", "a profile whose data has been made")
    return trainings.train(
        context,
        workbench,
        profile,
        split,
        shards,
        initial,
        name=_title(experiment, name, seed),
        tags={
            trainings.TAG_EXPERIMENT: _seeded(experiment, seed),
            "nrdfer.table": table.name,
            "nrdfer.fold": name,
        },
    )


def _title(experiment: Experiment, name: str, seed: int) -> str:
    """Name of a training, in logs; the first of several seeds is named as the only one."""
    return f"{experiment.name} {name}{f' seed {seed}' if seed else ''}"


def _seeded(experiment: Experiment, seed: int) -> str:
    """Name of an experiment in MLflow; see `_title`."""
    return f"{experiment.name}{f' seed {seed}' if seed else ''}"


def make_checkpoint(table: TableSpec, partitions: dg.MultiPartitionsDefinition) -> dg.AssetsDefinition:
    """The trainings of a table."""
    own = corpus_of(table.splits[0])
    first = own if own.initial is None else corpus_of(own.initial)
    data = [first.asset("shards"), first.asset("folds"), *([] if own is first else [own.asset("shards")])]

    @dg.asset(
        key=[table.name, "checkpoint"],
        deps=[dg.AssetKey(asset.split("/")) for asset in data],
        partitions_def=partitions,
        group_name=GROUP,
        kinds={"pytorch", "mlflow"},
        pool="gpu",
        op_tags=NODES,
        retry_policy=RETRY,
        description=asset_groups.description(
            f"The trainings of Table {table.number}: one per partition, which is an experiment on a split.",
            "the corpora's shards and folds, and the settings that the experiment changes in the profile; trained once "
            "for each of the profile's `seeds`. What was trained before, also by the main job, is found and not "
            "repeated.",
            "`mlflow_run`, its curves while it runs; `war_last_epoch` and `war_best_epoch`.",
        ),
    )
    def checkpoint(context: dg.AssetExecutionContext, workbench: Workbench) -> dg.MaterializeResult[None]:
        with step(context):
            from nrdfer.experiments.profiles import profile_of

            experiment, name = _of_partition(context, table)
            seeds = range(workbench.settings.seeds)
            artifact, *others = [_train(context, workbench, table, experiment, name, seed) for seed in seeds]
            split = _results(workbench).split(name)
            profile = profile_of(workbench.settings, experiment)
            figures = trainings.metadata_of(workbench, profile, split, artifact)
            if others:
                wars = [float(made.manifest["counts"]["last"]["test_war"]) for made in (artifact, *others)]
                figures["war_last_epoch_by_seed"] = dg.MetadataValue.json(wars)
            return _materialize(context, artifact, **figures)

    return checkpoint


def make_evaluation(table: TableSpec, partitions: dg.MultiPartitionsDefinition) -> dg.AssetsDefinition:
    """The evaluations of a table."""

    @dg.asset(
        key=[table.name, "evaluation"],
        deps=[dg.AssetKey([table.name, "checkpoint"])],
        partitions_def=partitions,
        group_name=GROUP,
        kinds={"pytorch", "mlflow"},
        op_tags=evaluations.ENGINE,
        description=asset_groups.description(
            f"WAR and UAR of each training of Table {table.number} under both protocols, and every prediction.",
            f"`{table.name}/checkpoint` on the test clips of the partition's split.",
            "`war_honest` and `uar_honest`; `confusion` and `curves`.",
        ),
    )
    def evaluation(context: dg.AssetExecutionContext, workbench: Workbench) -> dg.MaterializeResult[None]:
        with step(context):
            from nrdfer.evaluation.checkpoints import read_metrics
            from nrdfer.experiments.profiles import profile_of
            from nrdfer.publish import register_model
            from nrdfer.store.pointers import last_made

            experiment, name = _of_partition(context, table)
            results = _results(workbench)
            split = results.split(name)
            shards = last_made(workbench.settings, f"{split.corpus}/shards", "a profile whose data has been made")
            evaluated = []
            for seed in range(workbench.settings.seeds):
                made_of, title = results.training(experiment, name, seed), _title(experiment, name, seed)
                checkpoint = workbench.store.open(made_of.asset, made_of.digest(workbench.store))
                profile = profile_of(workbench.settings, experiment, seed)
                found = evaluations.evaluate(context, workbench, profile, split, shards, checkpoint, title=title)
                run_id = evaluations.run_of(context, workbench, checkpoint, split, _seeded(experiment, seed))
                register_model.record(workbench.tracking, run_id, found.path)
                evaluated.append((found, run_id))
            artifact, run_id = evaluated[0]
            figures = evaluations.metadata_of(workbench, artifact, run_id)
            if len(evaluated) > 1:
                wars = [read_metrics(found.path)["honest"]["war"] for found, _ in evaluated]
                figures["war_honest_by_seed"] = dg.MetadataValue.json(wars)
            return _materialize(context, artifact, **figures)

    return evaluation


def make_table(table: TableSpec, deps: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The table itself, as far as its evaluations are available."""

    @dg.asset(
        key=[table.name, "table"],
        deps=list(deps),
        group_name=GROUP,
        kinds={"table"},
        description=asset_groups.description(
            f"{table.title}: what was published beside what was measured.",
            "the evaluations that are in the store. Rows that were not run are marked; nothing is trained here.",
            "`table`, published figures beside ours; `rows_open`, what is still to be run.",
        ),
    )
    def filled(context: dg.AssetExecutionContext, workbench: Workbench) -> dg.MaterializeResult[None]:
        with step(context):
            from nrdfer.reporting.table_artifacts import MARKDOWN, PICTURE, build_table

            artifact = build_table(table, workbench.settings, workbench.store)
            pictures = {"picture": picture(artifact.path / PICTURE)} if (artifact.path / PICTURE).is_file() else {}
            counts = artifact.manifest["counts"]
            return _materialize(
                context,
                artifact,
                table=dg.MetadataValue.md((artifact.path / MARKDOWN).read_text()),
                **pictures,
                rows=counts["rows"],
                rows_open=", ".join(counts["open"]) or "none",
            )

    return filled


def _materialize(
    context: dg.AssetExecutionContext, artifact: Artifact, **metadata: object
) -> dg.MaterializeResult[None]:
    """As `materialize`, for assets whose readers find them by content."""
    found = "found in the store, nothing computed" if artifact.up_to_date else "computed and published"
    context.log.info(f"{artifact.asset} {artifact.digest[:12]}: {found}")
    return dg.MaterializeResult(
        metadata=dict(describe(artifact, **{**provenance(context), **metadata})),
        data_version=dg.DataVersion(artifact.digest[:16]),
    )


def make_table_assets(table: TableSpec) -> list[dg.AssetsDefinition]:
    """All assets of a table."""
    if table.name not in TRAINED:
        return [make_table(table, [dg.AssetKey(DFEW.asset("evaluation", name).split("/")) for name in DFEW.splits])]
    partitions = dg.MultiPartitionsDefinition(
        {
            EXPERIMENT: dg.StaticPartitionsDefinition(list(table.names)),
            SPLIT: dg.StaticPartitionsDefinition(list(table.splits)),
        }
    )
    return [
        make_checkpoint(table, partitions),
        make_evaluation(table, partitions),
        make_table(table, [dg.AssetKey([table.name, "evaluation"])]),
    ]


tables = [asset for table in TABLES.values() for asset in make_table_assets(table)]
