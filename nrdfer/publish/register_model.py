"""Step: register an evaluated checkpoint, and log its results to its training's MLflow run.

The content of a version, defined once; its registration in MLflow belongs to ``nrdfer.registry``.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.core import file_locks, paths
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.registry import corpus_of, find_corpus, recipe_of
from nrdfer.evaluation.checkpoints import PROTOCOLS, VALIDATED, read_calibration, read_metrics
from nrdfer.models.saved_model import read_frames, read_history, read_identity, read_image_size
from nrdfer.models.trained_files import BEST, LAST, MODEL
from nrdfer.preprocessing.corpus_listing import given_root
from nrdfer.publish.model_card import DISTRIBUTED, OWN, RENDERED, CardFacts, write_card
from nrdfer.publish.model_files import crops_content
from nrdfer.registry import tags, versions
from nrdfer.registry.aliases import point_alias
from nrdfer.registry.versions import Facts, Registered, log_best
from nrdfer.shards.split import Split
from nrdfer.store import Artifact
from nrdfer.store.pointers import config_digest
from nrdfer.tracking.client import TAG_ASSET, TAG_DAGSTER_RUN, Tracking, dagster_url
from nrdfer.tracking.dataset_inputs import corpus_dataset, to_mlflow
from nrdfer.training.key import FROM_SCRATCH

RESOLVED = "config/resolved.json"  # the profile, beside the run's other artefacts
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluated:
    """A checkpoint that was evaluated, and its inputs."""

    profile: Profile
    split: Split
    shards: Artifact
    checkpoint: Artifact
    evaluation: Artifact
    mlflow_run: str  # of the training
    dagster_run: str  # that evaluated


def flat_figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Protocol -> metrics as flat, plottable numbers."""
    return {
        f"{key}_{protocol}": float(value)
        for protocol, values in metrics.items()
        for key, value in values.items()
        if isinstance(value, int | float)
    }


def record(tracking: Tracking, run_id: str, folder: Path) -> None:
    """Log an evaluation's figures, pictures and predictions to its training's MLflow run, if they are missing there.

    Args:
        tracking: the MLflow store.
        run_id: of the training.
        folder: of the evaluation.
    """
    figures = flat_figures(read_metrics(folder))
    for protocol in PROTOCOLS:  # the run's data sets say how many
        figures.pop(f"clips_{protocol}", None)
    with _recording():
        if set(figures) <= set(tracking.client.get_run(run_id).data.metrics):
            return
        for path in sorted(folder.glob("*.p*")):  # pictures and prediction tables
            tracking.client.log_artifact(run_id, str(path), "evaluation")
        tracking.log_metrics(run_id, figures)  # last: they say that everything is there


def record_on_pipeline(tracking: Tracking, run_id: str, corpus: str, folder: Path) -> None:
    """Log WAR and UAR of a corpus to the MLflow run of a whole pipeline, so that two reproductions can be compared.

    Args:
        tracking: the MLflow store.
        run_id: of the pipeline.
        corpus: begins the names: ``dfew/war_mean_honest``.
        folder: of the corpus's cross-validation, or of its only evaluation.
    """
    figures = flat_figures(read_metrics(folder))
    wanted = (
        "war_mean_",
        "uar_mean_",
        "war_pooled_",
        "uar_pooled_",
        "war_honest",
        "uar_honest",
        "war_paper",
        "uar_paper",
    )
    with _recording():
        tracking.log_metrics(
            run_id, {f"{corpus}/{name}": value for name, value in figures.items() if name.startswith(wanted)}
        )


def register(tracking: Tracking, evaluated: Evaluated, *, alias: str | None, log: logging.Logger = _log) -> Registered:
    """Register the last epoch's weights as a version, and log the best epoch's as a model of the same run.

    Args:
        tracking: the MLflow store.
        evaluated: what is registered.
        alias: that points at the version from now on; none if it is None.
        log: receives the registry's warnings.

    Raises:
        WeightsError: the weights of detector or brightener, which a version names, are not there.
    """
    from nrdfer.preprocessing.spec import FILE, Preprocessing

    profile, checkpoint = evaluated.profile, evaluated.checkpoint
    preprocessing = Preprocessing.of_profile(profile)
    metrics, history = read_metrics(evaluated.evaluation.path), read_history(checkpoint.path)
    epochs = {"honest": len(history), "paper": int(checkpoint.manifest["counts"]["best"]["epoch"])}
    if VALIDATED in metrics:
        epochs[VALIDATED] = int(checkpoint.manifest["counts"][VALIDATED]["epoch"])
    name = versions.registered_name(read_identity(checkpoint.path / MODEL)[0], evaluated.split.corpus)
    card = write_card(_card_facts(evaluated, name, metrics, epochs, preprocessing.to_dict()))
    with tempfile.TemporaryDirectory() as scratch:
        resolved, described = Path(scratch) / "resolved.json", Path(scratch) / FILE
        resolved.write_text(json.dumps(profile.to_dict(), indent=1, sort_keys=True))
        preprocessing.write(described)
        with _recording():
            tracking.client.log_artifact(evaluated.mlflow_run, str(resolved), "config")
        facts = {
            protocol: Facts(
                checkpoint.digest, card, epochs[protocol], _own(metrics[protocol]), _tags(evaluated, metrics)
            )
            for protocol in PROTOCOLS
        }
        registered = versions.register(
            tracking,
            name,
            evaluated.mlflow_run,
            crops_content(checkpoint.path, LAST, card, described),
            facts["honest"],
            log=log,
        )
        log_best(
            tracking,
            evaluated.mlflow_run,
            crops_content(checkpoint.path, BEST, card, described),
            facts["paper"],
        )
    if alias is not None:
        point_alias(tracking, name, alias, registered.version)
    return registered


def log_report(
    tracking: Tracking, pipeline_run: str, page: Path, evaluations: Sequence[Artifact], shards: Sequence[Artifact]
) -> None:
    """Log the report's page to the MLflow run of every training that it covers, and the corpora to the pipeline's.

    Args:
        tracking: the MLflow store.
        pipeline_run: MLflow run of the whole run.
        page: of the report.
        evaluations: that it covers.
        shards: of both corpora.
    """
    rows = [corpus_dataset(made.asset.split("/")[0], made.path, made.digest) for made in shards]
    with _recording():
        for evaluation in evaluations:
            for run in tracking.find(nrdfer__digest=evaluation.manifest["inputs"]["checkpoint"]):
                tracking.client.log_artifact(run.info.run_id, str(page), "report")
        tracking.client.log_inputs(pipeline_run, to_mlflow(rows))


def _recording() -> AbstractContextManager[None]:
    """Lock held while a run is checked and completed: a second process would otherwise log the same again."""
    return file_locks.held(paths.home() / "mlflow.lock-record")


def provenance(checkpoint: Artifact) -> dict[str, str]:
    """Dagster run and asset that made a checkpoint, as tags."""
    trained = checkpoint.manifest["counts"]
    # a table's partition trains what the main job would: then the asset is the table's
    return {TAG_DAGSTER_RUN: trained["dagster_run_id"], TAG_ASSET: trained.get("dagster_asset_key", checkpoint.asset)}


def _own(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(metrics[key]) for key in ("war", "uar", "war_unfiltered", "uar_unfiltered")}


def _tags(evaluated: Evaluated, metrics: Mapping[str, Any]) -> dict[str, str]:
    return {
        **provenance(evaluated.checkpoint),
        tags.FOLD: evaluated.split.name,
        tags.PROFILE: evaluated.profile.name,
        tags.CONFIG: config_digest(evaluated.profile),
        tags.DATA: evaluated.shards.digest,
        tags.EVALUATION: evaluated.evaluation.digest,
        tags.EVALUATED_BY: evaluated.dagster_run,
        tags.TEST_CLIPS: str(len(evaluated.split.test_ids)),
        tags.EPOCH: str(evaluated.checkpoint.manifest["counts"]["epochs"]),
        **{key: f"{value:.6f}" for key, value in flat_figures(metrics).items()},
    }


def _card_facts(
    evaluated: Evaluated,
    name: str,
    metrics: Mapping[str, Any],
    epochs: Mapping[str, int],
    preprocessing: Mapping[str, Any],
) -> CardFacts:
    from nrdfer.models.registry import title_of

    profile, split = evaluated.profile, evaluated.split
    initial = evaluated.checkpoint.manifest["inputs"]["initial"]
    made_by = evaluated.checkpoint.manifest["counts"]["dagster_run_id"]
    recipe = recipe_of(profile, split.corpus).to_dict()
    return CardFacts(
        title=title_of(read_identity(evaluated.checkpoint.path / MODEL)[0]),
        model=name,
        split=split.name,
        corpus=split.corpus,
        profile=profile.name,
        data=data_of(profile, find_corpus(split.corpus)),
        frames=read_frames(evaluated.checkpoint.path / MODEL),
        clips={"train": len(split.train_ids), "test": len(split.test_ids)},
        initial="random weights" if initial == FROM_SCRATCH else _first_trained(split.corpus, initial),
        recipe=recipe,
        preprocessing=preprocessing,
        metrics=metrics,
        epochs=epochs,
        calibration=read_calibration(evaluated.evaluation.path).get("honest", {}),
        links={
            "this Dagster run": dagster_url(made_by),
            "this MLflow run": Tracking().run_url(evaluated.mlflow_run),
        },
        image_size=read_image_size(evaluated.checkpoint.path / MODEL),
    )


def data_of(profile: Profile, corpus: Corpus) -> str:
    """Whose data a corpus is, as `model_card` words it."""
    if corpus.default_root is not None:
        return OWN
    return RENDERED if given_root(profile, corpus) is None else DISTRIBUTED


def _first_trained(corpus: str, digest: str) -> str:
    """The checkpoint from which a training on a corpus began."""
    split = find_corpus(corpus).initial
    of = f" ({corpus_of(split).title}, split {split})" if split else ""
    return f"the checkpoint {digest[:12]}{of}"
