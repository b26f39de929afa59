"""Training: one checkpoint a split of a corpus.

Keep here: what a training step depends on and how it appears in MLflow. Keep out: the loop (``nrdfer/training``).
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets import asset_groups
from assets.metadata import mlflow_run
from assets.project_resource import OPTIONAL, Workbench, not_made
from assets.step_results import materialize, progress_logger, step, training_logger
from nrdfer.config.profile import Profile
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.registry import corpus_of, initial_of, recipe_of
from nrdfer.store import Artifact

if TYPE_CHECKING:
    from nrdfer.shards.split import Split

#: Of a step that may span machines: a cluster is asked for as many.
NODES = {"nrdfer/nodes": "nodes"}
TAG_EXPERIMENT = "nrdfer.experiment"  # of a table's training
RETRY = dg.RetryPolicy(max_retries=1)  # a step that was killed for memory continues from its checkpoint


def train(
    context: dg.AssetExecutionContext,
    workbench: Workbench,
    profile: Profile,
    split: "Split",
    shards: Artifact,
    initial: Artifact | None = None,
    *,
    name: str,
    tags: Mapping[str, str] | None = None,
) -> Artifact:
    """Train one split, unless it was trained already.

    Args:
        context: of the step.
        workbench: store and MLflow.
        profile: network, recipe and engine.
        split: the clips.
        shards: that hold them.
        initial: checkpoint to start from.
        name: of the training, in logs.
        tags: more of them for the MLflow run; a table's experiment is in the name that MLflow shows.
    """
    from nrdfer.models.trained_files import LAST
    from nrdfer.tracking.client import TAG_ASSET, TAG_DAGSTER_RUN, TAG_NOTE
    from nrdfer.tracking.dataset_inputs import datasets_of
    from nrdfer.tracking.log_uploader import RunFacts, training_name
    from nrdfer.training.callbacks import TrainingCallbacks
    from nrdfer.training.loop import train_tracked
    from nrdfer.training.open_choices import choices_markdown
    from nrdfer.training.request import request_of
    from nrdfer.training.resolved_settings import resolved_settings
    from nrdfer.training.step_keys import training_step

    made_of = training_step(profile, split, shards.digest, initial.digest if initial else None)
    recipe = recipe_of(profile, split.corpus)
    facts = RunFacts(
        digest=made_of.digest(workbench.store),
        name=training_name(split, (tags or {}).get(TAG_EXPERIMENT, "")),
        tags={
            TAG_DAGSTER_RUN: context.run_id,
            TAG_ASSET: context.asset_key.to_user_string(),
            "nrdfer.config_digest": workbench.config_digest,
            "nrdfer.data_digest": made_of.inputs["shards"],
            "nrdfer.clips_digest": made_of.inputs["clips"],
            "nrdfer.initialisation": initial.digest if initial else "from scratch",
            TAG_NOTE: f"What the paper leaves open, and what was chosen:\n\n{choices_markdown(recipe)}",
            **(tags or {}),
        },
        params=made_of.config,
        pipeline=context.run_id,
        pipeline_params=resolved_settings(workbench.settings, network=True),
        datasets=datasets_of(split, shards.digest),
    )

    callbacks = TrainingCallbacks(
        on_batch=training_logger(context, name),
        on_decoded=progress_logger(context, f"{name}: clips decoded into memory"),
    )

    def build(work: Path, out: Path) -> dict[str, Any]:
        result = train_tracked(
            request_of(profile, split, work, out, initial_weights=initial.path / LAST if initial else None),
            callbacks,
            tracking=workbench.tracking,
            facts=facts,
            wait=workbench.tracking_wait,
            log=context.log,
        )
        return {
            **result,
            "dagster_run_id": context.run_id,
            "dagster_asset_key": context.asset_key.to_user_string(),
        }

    return workbench.store.build_resumable(
        made_of.asset,
        code_version=made_of.code_version,
        config=made_of.config,
        inputs=made_of.inputs,
        build=build,
    )


def metadata_of(workbench: Workbench, profile: Profile, split: "Split", artifact: Artifact) -> dict[str, Any]:
    """Metadata of a training for the UI."""
    from nrdfer.training.open_choices import choices_markdown

    counts = artifact.manifest["counts"]
    last, best = counts["last"], counts["best"]
    recipe = recipe_of(profile, split.corpus)
    return {
        "war_last_epoch": float(last["test_war"]),
        "uar_last_epoch": float(last["test_uar"]),
        "war_best_epoch": float(best["test_war"]),
        "best_epoch": int(best["epoch"]),
        "epochs": counts["epochs"],
        "training_clips": len(split.train_ids),
        "recipe": dg.MetadataValue.json(recipe.to_dict()),
        "engine": dg.MetadataValue.json(dataclasses.asdict(profile.engine)),
        "left_open_by_the_paper": dg.MetadataValue.md(choices_markdown(recipe)),
        "mlflow_run": mlflow_run(workbench.tracking, counts["mlflow_run_id"]),
    }


def checkpoint_asset(corpus: Corpus, name: str) -> dg.AssetsDefinition:
    """The checkpoint asset of a split of a corpus."""
    ins = {"shards": corpus.asset("shards")}
    if corpus.parts is None:
        ins["folds"] = corpus.asset("folds")
    if corpus.initial is not None:
        ins["initial"] = corpus_of(corpus.initial).asset("checkpoint", corpus.initial)
    what = "fine-tuned" if corpus.initial else "trained from scratch"

    @dg.asset(
        key=corpus.asset("checkpoint", name).split("/"),
        ins={
            # without the initial checkpoint where the profile trains from scratch
            argument: dg.AssetIn(key=asset.split("/"), metadata={OPTIONAL: True} if argument == "initial" else {})
            for argument, asset in ins.items()
        },
        group_name=asset_groups.group_of(corpus, asset_groups.TRAINING),
        kinds={"pytorch", "mlflow"},
        pool="gpu",
        op_tags=NODES,
        retry_policy=RETRY,
        description=asset_groups.description(
            f"Weights, history and settings of the network {what} on {corpus.title}'s split {name}, its test clips "
            "watched.",
            f"{', '.join(f'`{asset}`' for asset in ins.values())}; the profile's `model`, `{corpus.name}_recipe` and "
            "`engine`. A training that was killed continues from its last checkpoint.",
            "`mlflow_run`, its curves while it runs; `war_last_epoch` (honest) and `war_best_epoch` (the paper's way); "
            "`recipe` and `left_open_by_the_paper`.",
        ),
    )
    def checkpoint(
        context: dg.AssetExecutionContext, workbench: Workbench, **given: Artifact | None
    ) -> dg.MaterializeResult[Artifact]:
        with step(context):
            profile = workbench.settings
            read = {argument: artifact for argument, artifact in given.items() if artifact is not None}
            initial = read.get("initial") if initial_of(profile, corpus) is not None else None
            if initial is None and initial_of(profile, corpus) is not None:
                raise not_made(ins["initial"], profile)
            split = split_of(corpus, name, read)
            artifact = train(context, workbench, profile, split, read["shards"], initial, name=name)
            return materialize(context, artifact, **metadata_of(workbench, profile, split, artifact))

    return checkpoint


def split_of(corpus: Corpus, name: str, read: Mapping[str, Artifact]) -> "Split":
    """A split in the artefacts that a step reads: ``shards``, and ``folds`` where the corpus has them."""
    from nrdfer.preprocessing.folds import read_split

    return read_split(corpus, name, read["shards"].path, read["folds"].path if "folds" in read else None)


def training_assets(corpus: Corpus) -> list[dg.AssetsDefinition]:
    """The checkpoints of all splits of a corpus."""
    return [checkpoint_asset(corpus, name) for name in corpus.splits]
