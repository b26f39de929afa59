"""Training: one checkpoint a DFEW fold, and AFEW fine-tuned from the first fold's.

Keep here: what a training step depends on and how it appears in MLflow. Keep out: the loop (``nrdfer/training``).
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets import asset_groups
from assets.metadata import mlflow_run
from assets.project_resource import Workbench
from assets.step_results import materialize, progress_logger, step, training_logger
from nrdfer.config.profile import Profile
from nrdfer.corpora.labels import FOLDS
from nrdfer.store import Artifact

if TYPE_CHECKING:
    from nrdfer.shards.split import Split

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
    """Train one split, or find that it was trained.

    Args:
        context: of the step.
        workbench: store and MLflow.
        profile: network, recipe and engine.
        split: the clips.
        shards: that they lie in.
        initial: checkpoint to start from.
        name: of the training, in logs and in MLflow.
        tags: more of them for the MLflow run.
    """
    from nrdfer.models.trained_files import LAST
    from nrdfer.tracking.client import TAG_ASSET, TAG_DAGSTER_RUN, TAG_NOTE
    from nrdfer.tracking.dataset_inputs import datasets_of
    from nrdfer.tracking.log_uploader import RunFacts
    from nrdfer.training.callbacks import TrainingCallbacks
    from nrdfer.training.loop import train_tracked
    from nrdfer.training.open_choices import choices_markdown
    from nrdfer.training.request import request_of
    from nrdfer.training.step_keys import training_step

    made_of = training_step(profile, split, shards.digest, initial.digest if initial else None)
    recipe = profile.recipe_for(split.corpus)
    facts = RunFacts(
        digest=made_of.digest(workbench.store),
        name=f"{name} training",
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
        pipeline_params=workbench.settings.to_dict(),
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
    """What the UI shows of a training."""
    from nrdfer.training.open_choices import choices_markdown

    counts = artifact.manifest["counts"]
    last, best = counts["last"], counts["best"]
    recipe = profile.recipe_for(split.corpus)
    return {
        "epochs": counts["epochs"],
        "war_last_epoch": float(last["test_war"]),
        "uar_last_epoch": float(last["test_uar"]),
        "war_best_epoch": float(best["test_war"]),
        "best_epoch": int(best["epoch"]),
        "training_clips": len(split.train_ids),
        "recipe": dg.MetadataValue.json(recipe.to_dict()),
        "engine": dg.MetadataValue.json(dataclasses.asdict(profile.engine)),
        "left_open_by_the_paper": dg.MetadataValue.md(choices_markdown(recipe)),
        "mlflow_run": mlflow_run(workbench.tracking, counts["mlflow_run_id"]),
    }


def make_fold_checkpoint(k: int) -> dg.AssetsDefinition:
    """The checkpoint asset of DFEW's fold `k`."""

    @dg.asset(
        key=["dfew", f"fd{k}", "checkpoint"],
        ins={"shards": dg.AssetIn(key=["dfew", "shards"]), "folds": dg.AssetIn(key=["dfew", "folds"])},
        group_name=asset_groups.TRAINING.name,
        kinds={"pytorch", "mlflow"},
        pool="gpu",
        retry_policy=RETRY,
        description=asset_groups.description(
            f"The network, trained on the other four folds and watched on fold {k}: weights, history, settings.",
            "`dfew/shards` and `dfew/folds`; the profile's `model`, `dfew_recipe` and `engine`. A training that was "
            "killed continues from its last checkpoint.",
            "`mlflow_run`, its curves while it runs; `war_last_epoch` (honest) and `war_best_epoch` (the paper's way); "
            "`recipe` and `left_open_by_the_paper`.",
        ),
    )
    def checkpoint(
        context: dg.AssetExecutionContext, workbench: Workbench, shards: Artifact, folds: Artifact
    ) -> dg.MaterializeResult[Artifact]:
        with step(context):
            from nrdfer.preprocessing.folds import dfew_split

            profile, split = workbench.settings, dfew_split(shards.path, folds.path, k)
            artifact = train(context, workbench, profile, split, shards, name=split.name)
            return materialize(context, artifact, **metadata_of(workbench, profile, split, artifact))

    return checkpoint


@dg.asset(
    key=["afew", "checkpoint"],
    ins={
        "shards": dg.AssetIn(key=["afew", "shards"]),
        "dfew_checkpoint": dg.AssetIn(key=["dfew", "fd1", "checkpoint"]),
    },
    group_name=asset_groups.TRAINING.name,
    kinds={"pytorch", "mlflow"},
    pool="gpu",
    retry_policy=RETRY,
    description=asset_groups.description(
        "The network, fine-tuned on AFEW's training split.",
        "`afew/shards`, and the weights of `dfew/fd1/checkpoint`, with which it begins; the profile's `afew_recipe`.",
        "`mlflow_run`, its curves while it runs; `war_last_epoch` (honest) and `war_best_epoch` (the paper's way).",
    ),
)
def afew_checkpoint(
    context: dg.AssetExecutionContext, workbench: Workbench, shards: Artifact, dfew_checkpoint: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Fine-tune on AFEW."""
    with step(context):
        from nrdfer.preprocessing.folds import afew_as_split

        profile, split = workbench.settings, afew_as_split(shards.path)
        artifact = train(context, workbench, profile, split, shards, dfew_checkpoint, name=split.name)
        return materialize(context, artifact, **metadata_of(workbench, profile, split, artifact))


fold_checkpoints = [make_fold_checkpoint(k) for k in FOLDS]
