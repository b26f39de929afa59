"""Evaluation: every checkpoint under both protocols, registered; the folds of a corpus put together.

Keep here: what is evaluated on what, and how it appears in MLflow. Keep out: metrics (``nrdfer/evaluation``).
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets import asset_groups
from assets.metadata import mlflow_run, model_version, results
from assets.pictures import picture
from assets.project_resource import Workbench
from assets.step_results import materialize, step
from assets.training import split_of
from nrdfer.config.profile import Profile
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.base import Corpus
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
    """Evaluate a checkpoint under its protocols, unless it was evaluated already.

    Args:
        context: of the step.
        workbench: the store.
        profile: its engine.
        split: whose test clips are predicted.
        shards: that hold them.
        checkpoint: of the training.
        title: of the figures.
    """
    from nrdfer.evaluation import checkpoints as stage
    from nrdfer.training.request import network_identity
    from nrdfer.training.step_keys import evaluation_step

    network_identity(profile.model)  # a network file that the profile names may be run on this machine, too
    made_of = evaluation_step(split, shards.digest, checkpoint.digest)
    return workbench.store.build(
        made_of.asset,
        code_version=made_of.code_version,
        config=made_of.config,
        inputs=made_of.inputs,
        build=lambda out: stage.evaluate_checkpoint(
            checkpoint.path,
            stage.EvaluationSet(shards.path, split.test_ids, profile.data, split.train_ids),
            out,
            title=title,
            engine=profile.engine,
        ),
    )


def run_of(
    context: dg.AssetExecutionContext, workbench: Workbench, checkpoint: Artifact, split: "Split", experiment: str = ""
) -> str:
    """The MLflow run of a finished training, recreated from the store if MLflow has lost it or was unreachable.

    Raises:
        TrackingError: MLflow does not answer.
    """
    from nrdfer.models.saved_model import read_history
    from nrdfer.publish.register_model import provenance
    from nrdfer.tracking.log_uploader import training_name
    from nrdfer.tracking.pending_uploads import upload_pending
    from nrdfer.tracking.restored_runs import facts_of, run_of_finished

    tracking = workbench.tracking
    name = " ".join(filter(None, (experiment, split.name)))
    tracking.require(f"the evaluation of {name} is finished and kept, but it cannot be shown in MLflow")
    upload_pending(tracking, context.log)  # this training's, if MLflow was away when it ended
    tags = {**provenance(checkpoint), "nrdfer.config_digest": workbench.config_digest}
    run_name = training_name(split, experiment)
    facts = facts_of(checkpoint, split, run_name, tags, context.run_id, workbench.settings.to_dict())
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
    from nrdfer.publish import register_model

    profile, name = workbench.settings, split.name
    artifact = evaluate(context, workbench, profile, split, shards, checkpoint, title=name)
    run_id = run_of(context, workbench, checkpoint, split)
    evaluated = register_model.Evaluated(profile, split, shards, checkpoint, artifact, run_id, context.run_id)
    registered = register_model.register(workbench.tracking, evaluated, alias=alias, log=context.log)
    register_model.record(workbench.tracking, run_id, artifact.path)
    champion = {}
    if alias is None:  # the only split of its corpus
        outcome = registry.challenge(workbench.tracking, registered.name, registered.version)
        context.log.info(f"champion of {registered.name}: version {outcome.champion} ({one_line(outcome.reason)})")
        register_model.record_on_pipeline(
            workbench.tracking, pipeline_of(context, workbench), split.corpus, artifact.path
        )
        champion = {
            "champion": f"version {outcome.champion}: {outcome.reason}",
            **_video_model(context, workbench, registered.name, registered.version, outcome.champion),
        }
    return materialize(
        context,
        artifact,
        **metadata_of(workbench, artifact, run_id),
        **champion,
        test_clips=len(split.test_ids),
        registered_model=model_version(workbench.tracking, registered.uri),
        model_uri=registered.uri,
    )


def _video_model(
    context: dg.AssetExecutionContext, workbench: Workbench, model: str, version: str, champion: str
) -> dict[str, Any]:
    """The champion's video model, if the champion is the current version; an earlier champion has its own."""
    if version != champion:
        return {}
    from nrdfer.publish.register_video_model import register_video

    made = register_video(workbench.tracking, model, version, log=context.log)
    return {"video_model": model_version(workbench.tracking, made.uri)}


def pipeline_of(context: dg.AssetExecutionContext, workbench: Workbench) -> str:
    """Id of the MLflow run of this pipeline run."""
    return workbench.tracking.pipeline_run(context.run_id, workbench.settings.to_dict())


def metadata_of(workbench: Workbench, artifact: Artifact, run_id: str) -> dict[str, Any]:
    """Metadata of an evaluation, for the UI."""
    from nrdfer.evaluation.checkpoints import calibration_picture, read_calibration, read_metrics
    from nrdfer.publish.register_model import flat_figures

    metrics = read_metrics(artifact.path)
    figures = {
        f"{key}_{protocol}": float(values[key])
        for protocol, values in read_calibration(artifact.path).items()
        for key in ("ece", "ece_at_temperature", "temperature", "macro_f1")
        if key in values
    }
    drawn = {"calibration": picture(calibration_picture(artifact.path, "honest"))} if figures else {}
    return {
        **results(metrics),
        "confusion": picture(artifact.path / "confusion_honest.png"),
        "curves": picture(artifact.path / "curves.png"),
        **drawn,
        **flat_figures(metrics),
        **figures,
        "mlflow_run": mlflow_run(workbench.tracking, run_id),
    }


#: Of a step that computes with the profile's engine: a cluster is asked for a GPU where that uses one.
ENGINE = {"nrdfer/engine": "device"}


def evaluation_asset(corpus: Corpus, name: str) -> dg.AssetsDefinition:
    """The evaluation asset of a split of a corpus."""
    ins = {"checkpoint": corpus.asset("checkpoint", name), "shards": corpus.asset("shards")}
    if corpus.parts is None:
        ins["folds"] = corpus.asset("folds")
    only = len(corpus.splits) == 1

    @dg.asset(
        key=corpus.asset("evaluation", name).split("/"),
        ins={argument: dg.AssetIn(key=asset.split("/")) for argument, asset in ins.items()},
        group_name=asset_groups.group_of(corpus, asset_groups.EVALUATION),
        kinds={"pytorch", "mlflow"},
        op_tags=ENGINE,
        description=asset_groups.description(
            f"WAR, UAR and every prediction on {corpus.title}'s split {name} under both protocols, and the model "
            f"version{'' if only else f' `@{name}`'}.",
            f"`{ins['checkpoint']}` on the split's test clips. `honest` reads the last epoch; `paper` the epoch that "
            "is best on the test clips, as published figures do. With `validation` in the recipe there is `validated`, "
            "too: epoch and thresholds chosen on training clips that were held out.",
            "`result`; `confusion`, `curves` and `calibration`; `war_honest` and `uar_honest`, which the UI plots over "
            "time; `registered_model` and `mlflow_run` in MLflow.",
        ),
    )
    def evaluation(
        context: dg.AssetExecutionContext, workbench: Workbench, **read: Artifact
    ) -> dg.MaterializeResult[Artifact]:
        with step(context):
            return _evaluate_and_register(
                context,
                workbench,
                split=split_of(corpus, name, read),
                checkpoint=read["checkpoint"],
                shards=read["shards"],
                alias=None if only else name,
            )

    return evaluation


def cross_validation_asset(corpus: Corpus) -> dg.AssetsDefinition:
    """The folds of a corpus together."""

    @dg.asset(
        key=corpus.asset("cross_validation").split("/"),
        ins={
            f"{what}_{name}": dg.AssetIn(key=corpus.asset(what, name).split("/"))
            for what in ("evaluation", "checkpoint")
            for name in corpus.splits
        },
        group_name=asset_groups.group_of(corpus, asset_groups.EVALUATION),
        kinds={"mlflow"},
        description=asset_groups.description(
            f"{corpus.title}'s {len(corpus.splits)} folds together, as mean and pooled, under both protocols, and the "
            "`@champion`.",
            f"the evaluations `{corpus.asset('evaluation', corpus.splits[0])}` to "
            f"`{corpus.asset('evaluation', corpus.splits[-1])}`.",
            "`result`, whose figures the UI plots over time; `confusion` of all folds; `curves`; `best_fold`, whose "
            "network is best on its own test clips; `champion`, which version that is now, and why.",
        ),
    )
    def cross_validation(
        context: dg.AssetExecutionContext, workbench: Workbench, **inputs: Artifact
    ) -> dg.MaterializeResult[Artifact]:
        with step(context):
            from nrdfer import registry
            from nrdfer.core.errors import WeightsError
            from nrdfer.evaluation import checkpoints as stage
            from nrdfer.models.saved_model import read_identity
            from nrdfer.models.trained_files import MODEL
            from nrdfer.publish.register_model import flat_figures, record_on_pipeline

            evaluations = {name: inputs[f"evaluation_{name}"] for name in corpus.splits}
            checkpoints = {name: inputs[f"checkpoint_{name}"] for name in corpus.splits}
            artifact = workbench.store.build(
                corpus.asset("cross_validation"),
                code_version="1",
                config={},
                inputs={fold: found.digest for fold, found in evaluations.items()},
                build=lambda out: stage.cross_validate(
                    {fold: found.path for fold, found in evaluations.items()},
                    {fold: found.path for fold, found in checkpoints.items()},
                    corpus.emotions,
                    out,
                ),
            )
            summary = stage.read_metrics(artifact.path)
            honest = {fold: stage.read_metrics(e.path)["honest"]["war"] for fold, e in evaluations.items()}
            best = max(honest, key=lambda fold: honest[fold])
            tracking = workbench.tracking
            record_on_pipeline(tracking, pipeline_of(context, workbench), corpus.name, artifact.path)
            model = registry.registered_name(read_identity(checkpoints[best].path / MODEL)[0], corpus.name)
            version = registry.find_version(tracking, model, checkpoints[best].digest)
            if version is None:
                raise WeightsError(
                    f"the checkpoint of {best} is not registered as {model} any more; materialise "
                    f"{corpus.asset('evaluation', best)}"
                )
            outcome = registry.challenge(tracking, model, str(version.version))
            context.log.info(f"champion of {model}: version {outcome.champion} ({one_line(outcome.reason)})")
            return materialize(
                context,
                artifact,
                **results(summary),
                confusion=picture(artifact.path / "confusion_honest.png"),
                curves=picture(artifact.path / "curves.png"),
                **flat_figures(summary),
                best_fold=best,
                champion=f"version {outcome.champion}: {outcome.reason}",
                registered_model=model_version(tracking, f"models:/{model}/{outcome.champion}"),
                **_video_model(context, workbench, model, str(version.version), outcome.champion),
            )

    return cross_validation


def evaluation_assets(corpus: Corpus) -> list[dg.AssetsDefinition]:
    """The evaluations of all splits of a corpus, and its cross-validation where it has several."""
    together = [cross_validation_asset(corpus)] if len(corpus.splits) > 1 else []
    return [*(evaluation_asset(corpus, name) for name in corpus.splits), *together]
