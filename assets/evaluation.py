"""Evaluation: every checkpoint under both protocols, registered; five folds put together; the report.

Keep here: what is evaluated on what, and how it appears in MLflow. Keep out: metrics (``nrdfer/evaluation``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from assets.shown import mlflow_run, picture
from assets.step import materialize, step
from assets.training import FOLDS
from assets.workbench import Workbench
from nrdfer.store import Artifact, digest_of


def figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Protocol -> metrics as flat, plottable numbers."""
    return {
        f"{key}_{protocol}": float(value)
        for protocol, values in metrics.items()
        for key, value in values.items()
        if isinstance(value, int | float)
    }


def _evaluate(
    context: dg.AssetExecutionContext,
    workbench: Workbench,
    *,
    corpus: str,
    name: str,
    checkpoint: Artifact,
    shards: Artifact,
    test_ids: Sequence[str],
    aliases: Sequence[str],
) -> dg.MaterializeResult[Artifact]:
    from nrdfer import registry
    from nrdfer.left_over import deliver_left_over
    from nrdfer.models.registry import find_model
    from nrdfer.stages import evaluate, train
    from nrdfer.tracking import TAG_ASSET, TAG_DAGSTER_RUN, dagster_url

    profile = workbench.settings
    artifact = workbench.store.build(
        context.asset_key.to_user_string(),
        code_version="1",
        config={},
        inputs={
            "checkpoint": checkpoint.digest,
            "shards": shards.digest,
            "clips": digest_of(sorted(test_ids)),
        },
        build=lambda out: evaluate.evaluate_checkpoint(
            checkpoint.path, shards.path, test_ids, out, title=name, engine=train.engine_of(profile)
        ),
    )
    metrics = evaluate.read_metrics(artifact.path)
    tracking = workbench.tracking
    tracking.require(f"the evaluation of {name} is finished and kept, but its model cannot be registered")
    deliver_left_over(tracking, context.log)  # this training's, if MLflow was away when it ended
    trained = checkpoint.manifest["counts"]
    run_id = tracking.surviving_run(
        trained["mlflow_run_id"], checkpoint.digest, name, train.read_history(checkpoint.path)
    )
    model = registry.registered_name(profile.model, corpus)
    registered = registry.register(
        tracking,
        model,
        run_id,
        checkpoint.path,
        checkpoint.digest,
        image_size=profile.shards.image_size,
        tags={
            TAG_DAGSTER_RUN: trained["dagster_run_id"],
            TAG_ASSET: checkpoint.asset,
            "nrdfer.fold": name,
            "nrdfer.profile": profile.name,
            "nrdfer.config_digest": workbench.config_digest,
            "nrdfer.data_digest": shards.digest,
            "nrdfer.evaluation_digest": artifact.digest,
            **{key: f"{value:.4f}" for key, value in figures(metrics).items()},
        },
        description=_model_text(find_model(profile.model).title, model, name, profile.name, metrics)
        + f"\n\nTrained by [this Dagster run]({dagster_url(trained['dagster_run_id'])}).",
    )
    if registered.created:
        tracking.log_metrics(run_id, figures(metrics))
        for path in sorted(artifact.path.glob("*.p*")):  # pictures and prediction tables
            tracking.client.log_artifact(run_id, str(path), "evaluation")
    for alias in aliases:
        registry.point_alias(tracking, model, alias, registered.version)
    return materialize(
        context,
        artifact,
        **figures(metrics),
        test_clips=len(test_ids),
        registered_model=registered.uri,
        mlflow_run=mlflow_run(tracking, run_id),
        confusion=picture(artifact.path / "confusion_honest.png"),
        curves=picture(artifact.path / "curves.png"),
    )


def _model_text(title: str, model: str, name: str, profile: str, metrics: Mapping[str, Any]) -> str:
    honest, paper = metrics["honest"], metrics["paper"]
    return (
        f"{title} ({model}, {name}), profile {profile}.\n\n"
        f"Honest protocol (last epoch): WAR {honest['war']:.4f}, UAR {honest['uar']:.4f}. "
        f"Paper protocol (best epoch on the test fold): WAR {paper['war']:.4f}, UAR {paper['uar']:.4f}.\n\n"
        "The version serves the last epoch's weights. Input: clips of aligned face crops, values 0 to 1. Output: one "
        "row a clip with the emotion, its probabilities after the snippet-based filter, and the logits."
    )


def make_fold_evaluation(k: int) -> dg.AssetsDefinition:
    """The evaluation asset of DFEW's fold `k`."""

    @dg.asset(
        key=["dfew", f"fd{k}", "evaluation"],
        ins={
            "checkpoint": dg.AssetIn(key=["dfew", f"fd{k}", "checkpoint"]),
            "shards": dg.AssetIn(key=["dfew", "shards"]),
            "folds": dg.AssetIn(key=["dfew", "folds"]),
        },
        group_name="dfew_evaluation",
        kinds={"pytorch", "mlflow"},
        description=f"WAR and UAR on fold {k} under both protocols; registers the model version @fd{k}.",
    )
    def evaluation(
        context: dg.AssetExecutionContext,
        workbench: Workbench,
        checkpoint: Artifact,
        shards: Artifact,
        folds: Artifact,
    ) -> dg.MaterializeResult[Artifact]:
        with step(context):
            from nrdfer.stages.shard import read_folds

            return _evaluate(
                context,
                workbench,
                corpus="dfew",
                name=f"fd{k}",
                checkpoint=checkpoint,
                shards=shards,
                test_ids=read_folds(folds.path)[str(k)]["test"],
                aliases=[f"fd{k}"],
            )

    return evaluation


@dg.asset(
    key=["afew", "evaluation"],
    ins={
        "checkpoint": dg.AssetIn(key=["afew", "checkpoint"]),
        "shards": dg.AssetIn(key=["afew", "shards"]),
    },
    group_name="afew_evaluation",
    kinds={"pytorch", "mlflow"},
    description="WAR and UAR on AFEW's validation split under both protocols; registers the AFEW model.",
)
def afew_evaluation(
    context: dg.AssetExecutionContext, workbench: Workbench, checkpoint: Artifact, shards: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Evaluate on AFEW."""
    with step(context):
        from nrdfer.registry import CHAMPION
        from nrdfer.stages.train import afew_split

        return _evaluate(
            context,
            workbench,
            corpus="afew",
            name="afew",
            checkpoint=checkpoint,
            shards=shards,
            test_ids=afew_split(shards.path)["val"],
            aliases=[CHAMPION],
        )


@dg.asset(
    key=["dfew", "cross_validation"],
    ins={
        **{f"evaluation_{k}": dg.AssetIn(key=["dfew", f"fd{k}", "evaluation"]) for k in FOLDS},
        **{f"checkpoint_{k}": dg.AssetIn(key=["dfew", f"fd{k}", "checkpoint"]) for k in FOLDS},
    },
    group_name="dfew_evaluation",
    kinds={"mlflow"},
    description="Five folds together: mean of folds and pooled, both protocols; points the alias @champion.",
)
def dfew_cross_validation(
    context: dg.AssetExecutionContext, workbench: Workbench, **inputs: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Put the folds together."""
    with step(context):
        from nrdfer import registry
        from nrdfer.stages import evaluate

        evaluations = {f"fd{k}": inputs[f"evaluation_{k}"] for k in FOLDS}
        checkpoints = {f"fd{k}": inputs[f"checkpoint_{k}"] for k in FOLDS}
        artifact = workbench.store.build(
            "dfew/cross_validation",
            code_version="1",
            config={},
            inputs={fold: found.digest for fold, found in evaluations.items()},
            build=lambda out: evaluate.cross_validate(
                {fold: found.path for fold, found in evaluations.items()},
                {fold: found.path for fold, found in checkpoints.items()},
                out,
            ),
        )
        summary = evaluate.read_metrics(artifact.path)
        honest = {fold: evaluate.read_metrics(e.path)["honest"]["war"] for fold, e in evaluations.items()}
        best = max(honest, key=lambda fold: honest[fold])
        tracking = workbench.tracking
        model = registry.registered_name(workbench.settings.model, "dfew")
        version = registry.find_version(tracking, model, checkpoints[best].digest)
        if version is not None:
            registry.point_alias(tracking, model, registry.CHAMPION, str(version.version))
        return materialize(
            context,
            artifact,
            **figures(summary),
            champion=best,
            confusion=picture(artifact.path / "confusion_honest.png"),
            curves=picture(artifact.path / "curves.png"),
        )


fold_evaluations = [make_fold_evaluation(k) for k in FOLDS]
