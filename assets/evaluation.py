"""Evaluation: every checkpoint under both protocols, registered; five folds put together; the report.

Keep here: what is evaluated on what, and how it appears in MLflow. Keep out: metrics (``nrdfer/evaluation``).
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets import asset_groups
from assets.metadata import mlflow_run, picture
from assets.project_resource import Workbench
from assets.step_results import materialize, step
from nrdfer.config.profile import Profile
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.labels import FOLDS
from nrdfer.store import Artifact

if TYPE_CHECKING:
    from nrdfer.shards.split import Split


def evaluate(
    context: dg.AssetExecutionContext,
    workbench: Workbench,
    profile: Profile,
    split: "Split",
    shards: Artifact,
    checkpoint: Artifact,
    *,
    title: str,
) -> Artifact:
    """Evaluate a checkpoint under both protocols, or find that it was evaluated.

    Args:
        context: of the step.
        workbench: the store.
        profile: its engine.
        split: whose test clips are predicted.
        shards: that they lie in.
        checkpoint: of the training.
        title: of the figures.
    """
    from nrdfer.evaluation import checkpoints as stage
    from nrdfer.training.step_keys import evaluation_step

    made_of = evaluation_step(split, shards.digest, checkpoint.digest)
    return workbench.store.build(
        made_of.asset,
        code_version=made_of.code_version,
        config=made_of.config,
        inputs=made_of.inputs,
        build=lambda out: stage.evaluate_checkpoint(
            checkpoint.path, shards.path, split.test_ids, out, title=title, engine=profile.engine
        ),
    )


def run_of(
    context: dg.AssetExecutionContext, workbench: Workbench, checkpoint: Artifact, split: "Split", name: str
) -> str:
    """The MLflow run of a finished training, made again from the store if MLflow has lost it or was away.

    Raises:
        TrackingError: MLflow does not answer.
    """
    from nrdfer.models.saved_model import read_history
    from nrdfer.publish.register_model import provenance
    from nrdfer.tracking.pending_uploads import deliver_left_over
    from nrdfer.tracking.restored_runs import facts_of, run_of_finished

    tracking = workbench.tracking
    tracking.require(f"the evaluation of {name} is finished and kept, but it cannot be shown in MLflow")
    deliver_left_over(tracking, context.log)  # this training's, if MLflow was away when it ended
    tags = {**provenance(checkpoint), "nrdfer.config_digest": workbench.config_digest}
    facts = facts_of(checkpoint, split, name, tags, context.run_id, workbench.settings.to_dict())
    return run_of_finished(tracking, checkpoint, facts, read_history(checkpoint.path))


def _evaluate_and_register(
    context: dg.AssetExecutionContext,
    workbench: Workbench,
    *,
    split: "Split",
    checkpoint: Artifact,
    shards: Artifact,
    alias: str | None,
) -> dg.MaterializeResult[Artifact]:
    from nrdfer import registry
    from nrdfer.evaluation.checkpoints import read_metrics
    from nrdfer.publish import register_model

    profile, name = workbench.settings, split.name
    artifact = evaluate(context, workbench, profile, split, shards, checkpoint, title=name)
    run_id = run_of(context, workbench, checkpoint, split, name)
    evaluated = register_model.Evaluated(profile, split, shards, checkpoint, artifact, run_id, context.run_id)
    registered = register_model.register(workbench.tracking, evaluated, alias=alias, log=context.log)
    register_model.record(workbench.tracking, run_id, artifact.path)
    champion = {}
    if alias is None:  # the only split of its corpus
        outcome = registry.challenge(workbench.tracking, registered.name, registered.version)
        context.log.info(f"champion of {registered.name}: version {outcome.champion} ({one_line(outcome.reason)})")
        champion = {
            "champion": f"version {outcome.champion}: {outcome.reason}",
            **_video_model(context, workbench, registered.name, registered.version, outcome.champion),
        }
    return materialize(
        context,
        artifact,
        **register_model.flat_figures(read_metrics(artifact.path)),
        **champion,
        test_clips=len(split.test_ids),
        registered_model=registered.uri,
        **metadata_of(workbench, artifact, run_id),
    )


def _video_model(
    context: dg.AssetExecutionContext, workbench: Workbench, model: str, version: str, champion: str
) -> dict[str, str]:
    """The champion's video model, if the champion is the version at hand; an earlier champion has its own."""
    if version != champion:
        return {}
    from nrdfer.publish.register_video_model import register_video

    return {"video_model": register_video(workbench.tracking, model, version, log=context.log).uri}


def metadata_of(workbench: Workbench, artifact: Artifact, run_id: str) -> dict[str, Any]:
    """What the UI shows of an evaluation besides its figures."""
    return {
        "mlflow_run": mlflow_run(workbench.tracking, run_id),
        "confusion": picture(artifact.path / "confusion_honest.png"),
        "curves": picture(artifact.path / "curves.png"),
    }


def make_fold_evaluation(k: int) -> dg.AssetsDefinition:
    """The evaluation asset of DFEW's fold `k`."""

    @dg.asset(
        key=["dfew", f"fd{k}", "evaluation"],
        ins={
            "checkpoint": dg.AssetIn(key=["dfew", f"fd{k}", "checkpoint"]),
            "shards": dg.AssetIn(key=["dfew", "shards"]),
            "folds": dg.AssetIn(key=["dfew", "folds"]),
        },
        group_name=asset_groups.EVALUATION.name,
        kinds={"pytorch", "mlflow"},
        description=asset_groups.description(
            f"WAR and UAR on fold {k} under both protocols, every prediction, and the model version `@fd{k}`.",
            f"`dfew/fd{k}/checkpoint` on the test clips of fold {k}. `honest` reads the last epoch; `paper` the epoch "
            "that is best on the test clips, as published figures do.",
            "`war_honest` and `uar_honest`, which the UI plots over time; `confusion` and `curves`; `registered_model` "
            "and `mlflow_run` in MLflow.",
        ),
    )
    def evaluation(
        context: dg.AssetExecutionContext,
        workbench: Workbench,
        checkpoint: Artifact,
        shards: Artifact,
        folds: Artifact,
    ) -> dg.MaterializeResult[Artifact]:
        with step(context):
            from nrdfer.preprocessing.folds import dfew_split

            split = dfew_split(shards.path, folds.path, k)
            return _evaluate_and_register(
                context, workbench, split=split, checkpoint=checkpoint, shards=shards, alias=split.name
            )

    return evaluation


@dg.asset(
    key=["afew", "evaluation"],
    ins={
        "checkpoint": dg.AssetIn(key=["afew", "checkpoint"]),
        "shards": dg.AssetIn(key=["afew", "shards"]),
    },
    group_name=asset_groups.EVALUATION.name,
    kinds={"pytorch", "mlflow"},
    description=asset_groups.description(
        "WAR and UAR on AFEW's validation split under both protocols, every prediction, and AFEW's model version.",
        "`afew/checkpoint` on the validation clips of `afew/shards`.",
        "`war_honest` and `uar_honest`, which the UI plots over time; `confusion` and `curves`; `registered_model` and "
        "`mlflow_run` in MLflow.",
    ),
)
def afew_evaluation(
    context: dg.AssetExecutionContext, workbench: Workbench, checkpoint: Artifact, shards: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Evaluate on AFEW."""
    with step(context):
        from nrdfer.preprocessing.folds import afew_as_split

        split = afew_as_split(shards.path)
        return _evaluate_and_register(context, workbench, split=split, checkpoint=checkpoint, shards=shards, alias=None)


@dg.asset(
    key=["dfew", "cross_validation"],
    ins={
        **{f"evaluation_{k}": dg.AssetIn(key=["dfew", f"fd{k}", "evaluation"]) for k in FOLDS},
        **{f"checkpoint_{k}": dg.AssetIn(key=["dfew", f"fd{k}", "checkpoint"]) for k in FOLDS},
    },
    group_name=asset_groups.EVALUATION.name,
    kinds={"mlflow"},
    description=asset_groups.description(
        "The five folds together: mean of folds and pooled, under both protocols; names the `@champion`.",
        "the five evaluations `dfew/fd1/evaluation` to `dfew/fd5/evaluation`.",
        "the figures, which the UI plots over time; `confusion` of all folds; `curves`; `best_fold`, whose network is "
        "best on its own test clips; `champion`, which version that is now, and why.",
    ),
)
def dfew_cross_validation(
    context: dg.AssetExecutionContext, workbench: Workbench, **inputs: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Put the folds together."""
    with step(context):
        from nrdfer import registry
        from nrdfer.core.errors import WeightsError
        from nrdfer.evaluation import checkpoints as stage
        from nrdfer.publish.register_model import flat_figures

        evaluations = {f"fd{k}": inputs[f"evaluation_{k}"] for k in FOLDS}
        checkpoints = {f"fd{k}": inputs[f"checkpoint_{k}"] for k in FOLDS}
        artifact = workbench.store.build(
            "dfew/cross_validation",
            code_version="1",
            config={},
            inputs={fold: found.digest for fold, found in evaluations.items()},
            build=lambda out: stage.cross_validate(
                {fold: found.path for fold, found in evaluations.items()},
                {fold: found.path for fold, found in checkpoints.items()},
                out,
            ),
        )
        summary = stage.read_metrics(artifact.path)
        honest = {fold: stage.read_metrics(e.path)["honest"]["war"] for fold, e in evaluations.items()}
        best = max(honest, key=lambda fold: honest[fold])
        tracking = workbench.tracking
        model = registry.registered_name(workbench.settings.model, "dfew")
        version = registry.find_version(tracking, model, checkpoints[best].digest)
        if version is None:
            raise WeightsError(
                f"the checkpoint of {best} is not registered as {model} any more; materialise dfew/{best}/evaluation"
            )
        outcome = registry.challenge(tracking, model, str(version.version))
        context.log.info(f"champion of {model}: version {outcome.champion} ({one_line(outcome.reason)})")
        return materialize(
            context,
            artifact,
            **flat_figures(summary),
            best_fold=best,
            champion=f"models:/{model}/{outcome.champion}: {outcome.reason}",
            **_video_model(context, workbench, model, str(version.version), outcome.champion),
            confusion=picture(artifact.path / "confusion_honest.png"),
            curves=picture(artifact.path / "curves.png"),
        )


fold_evaluations = [make_fold_evaluation(k) for k in FOLDS]
