"""Training: one checkpoint a DFEW fold, and AFEW fine-tuned from the first fold's.

Keep here: what a training step depends on and how it appears in MLflow. Keep out: the loop (``nrdfer/training``).
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from assets.shown import mlflow_run
from assets.step import materialize, progress_logger, step, training_logger
from assets.workbench import Workbench
from nrdfer.store import Artifact, digest_of

FOLDS = (1, 2, 3, 4, 5)
_RETRY = dg.RetryPolicy(max_retries=1)  # a step that was killed for memory continues from its checkpoint


def _train(
    context: dg.AssetExecutionContext,
    workbench: Workbench,
    *,
    corpus: str,
    name: str,
    shards: Artifact,
    train_ids: Sequence[str],
    test_ids: Sequence[str],
    initial: Artifact | None,
) -> dg.MaterializeResult[Artifact]:
    from nrdfer.courier import RunFacts
    from nrdfer.stages import tracked, train
    from nrdfer.tracking import TAG_ASSET, TAG_DAGSTER_RUN, TAG_NOTE
    from nrdfer.training.choices import choices_markdown

    profile = workbench.settings
    recipe = train.recipe_of(profile, corpus)
    asset = context.asset_key.to_user_string()
    inputs = {
        "shards": shards.digest,
        "clips": digest_of([sorted(train_ids), sorted(test_ids)]),
        "initial": initial.digest if initial else "none",
    }
    config: dict[str, Any] = {
        "model": profile.model,
        "model_settings": train.network_settings(profile),
        "recipe": dataclasses.asdict(recipe),
        "engine": train.engine_of(profile).numerics(),
    }

    code_version = "3"
    facts = RunFacts(
        digest=workbench.store.digest(asset, code_version, config, inputs),
        name=f"{name} training",
        tags={
            TAG_DAGSTER_RUN: context.run_id,
            TAG_ASSET: asset,
            "nrdfer.config_digest": workbench.config_digest,
            "nrdfer.data_digest": inputs["shards"],
            "nrdfer.clips_digest": inputs["clips"],
            "nrdfer.initialisation": inputs["initial"] if initial else "from scratch",
            TAG_NOTE: f"What the paper leaves open, and what was chosen:\n\n{choices_markdown(recipe)}",
        },
        params=config,
        pipeline=context.run_id,
        pipeline_params=profile.to_dict(),
    )

    def build(work: Path, out: Path) -> dict[str, Any]:
        result = tracked.train_tracked(
            profile,
            corpus,
            shards.path,
            train_ids,
            test_ids,
            work,
            out,
            tracking=workbench.tracking,
            facts=facts,
            initial_weights=initial.path / train.LAST if initial else None,
            progress=training_logger(context, name),
            decoding=progress_logger(context, f"{name}: clips decoded into memory"),
            wait=workbench.tracking_wait,
            log=context.log,
        )
        return {**result, "dagster_run_id": context.run_id}

    artifact = workbench.store.build_resumable(
        asset, code_version=code_version, config=config, inputs=inputs, build=build
    )
    counts = artifact.manifest["counts"]
    last, best = counts["last"], counts["best"]
    return materialize(
        context,
        artifact,
        epochs=counts["epochs"],
        war_last_epoch=float(last["test_war"]),
        uar_last_epoch=float(last["test_uar"]),
        war_best_epoch=float(best["test_war"]),
        best_epoch=int(best["epoch"]),
        training_clips=len(train_ids),
        recipe=dg.MetadataValue.json(config["recipe"]),
        engine=dg.MetadataValue.json(dataclasses.asdict(train.engine_of(profile))),
        left_open_by_the_paper=dg.MetadataValue.md(choices_markdown(recipe)),
        mlflow_run=mlflow_run(workbench.tracking, counts["mlflow_run_id"]),
    )


def make_fold_checkpoint(k: int) -> dg.AssetsDefinition:
    """The checkpoint asset of DFEW's fold `k`."""

    @dg.asset(
        key=["dfew", f"fd{k}", "checkpoint"],
        ins={"shards": dg.AssetIn(key=["dfew", "shards"]), "folds": dg.AssetIn(key=["dfew", "folds"])},
        group_name="dfew_training",
        kinds={"pytorch", "mlflow"},
        pool="gpu",
        retry_policy=_RETRY,
        description=f"The profile's network, trained on four folds and tested on fold {k}: weights, history, settings.",
    )
    def checkpoint(
        context: dg.AssetExecutionContext, workbench: Workbench, shards: Artifact, folds: Artifact
    ) -> dg.MaterializeResult[Artifact]:
        with step(context):
            from nrdfer.stages.shard import read_folds

            fold = read_folds(folds.path)[str(k)]
            return _train(
                context,
                workbench,
                corpus="dfew",
                name=f"fd{k}",
                shards=shards,
                train_ids=fold["train"],
                test_ids=fold["test"],
                initial=None,
            )

    return checkpoint


@dg.asset(
    key=["afew", "checkpoint"],
    ins={
        "shards": dg.AssetIn(key=["afew", "shards"]),
        "dfew_checkpoint": dg.AssetIn(key=["dfew", "fd1", "checkpoint"]),
    },
    group_name="afew_training",
    kinds={"pytorch", "mlflow"},
    pool="gpu",
    retry_policy=_RETRY,
    description="NR-DFERNet fine-tuned on AFEW's training split, starting from DFEW's fold-1 checkpoint.",
)
def afew_checkpoint(
    context: dg.AssetExecutionContext, workbench: Workbench, shards: Artifact, dfew_checkpoint: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Fine-tune on AFEW."""
    with step(context):
        from nrdfer.stages.train import afew_split

        split = afew_split(shards.path)
        return _train(
            context,
            workbench,
            corpus="afew",
            name="afew",
            shards=shards,
            train_ids=split["train"],
            test_ids=split["val"],
            initial=dfew_checkpoint,
        )


fold_checkpoints = [make_fold_checkpoint(k) for k in FOLDS]
