"""Answers of what ``nrdfer compare`` is given: rows of tables, registered versions, MLflow runs, folders.

Predictions that are stored are read; a training without any is evaluated on its own split. The comparison itself
belongs to ``nrdfer.evaluation.paired_comparison``.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nrdfer.core.emotions import emotion_indices, emotions_in
from nrdfer.core.errors import NrdferError, StoreError
from nrdfer.core.optional_output import reason
from nrdfer.core.own_files import was_changed
from nrdfer.core.plain_text import name_text, one_line
from nrdfer.corpora.registry import corpus_of, trained_corpora
from nrdfer.evaluation.checkpoints import METRICS, PROTOCOLS, predictions_path
from nrdfer.evaluation.paired_comparison import Answers
from nrdfer.experiments.pairs import row_of_address
from nrdfer.experiments.results import Results
from nrdfer.models.trained_files import MODEL
from nrdfer.preprocessing.folds import find_split
from nrdfer.registry import checked_weights, tags
from nrdfer.store import MANIFEST, Store, read_manifest

if TYPE_CHECKING:
    from nrdfer.config.profile import Profile
    from nrdfer.shards.split import Split

_RUN = re.compile(r"(?:runs:/)?([0-9a-f]{32})")
_VERSION = "models:"
WHAT = "a folder of a training or of `nrdfer evaluate --out`, models:/NAME@ALIAS, an MLflow run, or a row: table_1/h"


@dataclass(frozen=True)
class Source:
    """Where answers are looked for.

    Attributes:
        profile: whose shards, folds and tables are used.
        store: of the artefacts.
        protocol: honest or paper.
        tell: receives a line when something takes longer.
        shards: folder of shards for trainings that must be evaluated, not those of the profile's last run.
        folds: its folds.
    """

    profile: Profile
    store: Store
    protocol: str
    tell: Callable[[str], None]
    shards: Path | None = None
    folds: Path | None = None


def answers_of(address: str, source: Source) -> Answers:
    """The answers behind an address.

    Raises:
        NrdferError: it names nothing that was evaluated or can be, or not under this protocol; the message says why.
    """
    row = row_of_address(address, Results(source.profile, source.store), source.protocol)
    if row is not None:
        return dataclasses.replace(row, name=one_line(address))
    if address.startswith(_VERSION):
        return _of_version(address, source)
    run = _RUN.fullmatch(address)
    if run is not None and not Path(address).exists():
        return _of_run(address, run[1], source)
    return _of_folder(address, Path(address), source)


def _of_version(address: str, source: Source) -> Answers:
    from nrdfer.registry.verified_open import look_up
    from nrdfer.tracking.client import Tracking

    if source.protocol != "honest":
        raise NrdferError(
            f"{one_line(address)} is a registered version, which is the last epoch only: it has no answers under the "
            f"{source.protocol} protocol; compare under the honest one"
        )
    found = look_up(Tracking(), address)
    known, version = found.tags, f"models:/{found.name}/{found.version}"  # an alias may move meanwhile
    split, digest = known.get(tags.FOLD, ""), known.get(tags.EVALUATION, "")
    try:
        artifact = source.store.open(corpus_of(split).asset("evaluation", split), digest)
    except NrdferError:  # of another machine, or removed: the version's own weights can be evaluated
        return _evaluated(address, version, split, source)
    return _read(address, artifact.path, source.protocol)


def _of_run(address: str, run_id: str, source: Source) -> Answers:
    from mlflow.exceptions import MlflowException

    from nrdfer.tracking.client import TAG_DIGEST, TAG_ROLE, Tracking

    tracking = Tracking()
    tracking.require(f"the run {run_id} cannot be looked up")
    try:
        known = tracking.client.get_run(run_id).data.tags
    except MlflowException as error:
        raise NrdferError(f"no MLflow run {run_id} in this project's database: {reason(error)}") from error
    if folder := known.get("nrdfer.folder"):
        if known.get(TAG_DIGEST, "") != _digest_of(Path(folder)):
            raise NrdferError(
                f"{one_line(address)} trained into {name_text(Path(folder))}, which no longer holds that training"
            )
        return _of_folder(address, Path(folder), source)
    if known.get(TAG_ROLE) != "training":
        raise NrdferError(
            f"{one_line(address)} is the run of a whole pipeline; give one of the trainings below it, or rows of the "
            "paper's tables, which hold all folds, e.g. table_1/h"
        )
    return _of_checkpoint(address, known.get(TAG_DIGEST, ""), source)


def _digest_of(folder: Path) -> str:
    """Digest in MLflow of the training that a folder of ``nrdfer train`` holds now; empty if it holds none."""
    from nrdfer.store import digest_of
    from nrdfer.training.run_folder import read_settings

    settings = read_settings(folder)
    return "" if settings is None else digest_of([settings, name_text(folder)])


def _of_folder(address: str, folder: Path, source: Source) -> Answers:
    from nrdfer.training.run_folder import read_settings

    there = [name for name in PROTOCOLS if predictions_path(folder, name).is_file()]
    if source.protocol in there:
        if (folder / MANIFEST).is_file():
            manifest = _manifest(folder)
            source.store.open(str(manifest["asset"]), str(manifest["digest"]))  # verified byte by byte
        return _read(address, folder, source.protocol)
    if there:
        raise NrdferError(
            f"{name_text(folder)} holds answers under the protocol {there[0]} only, not {source.protocol}: what was "
            "chosen on test clips is not compared with what was not. Evaluate it again, or compare both under "
            f"--protocol {there[0]}"
        )
    if (folder / MANIFEST).is_file():
        return _of_checkpoint(address, str(_manifest(folder)["digest"]), source)
    settings = read_settings(folder) if folder.is_dir() else None
    if settings is None:
        raise NrdferError(f"{one_line(address)} is nothing that can be compared; give {WHAT}")
    return _evaluated(address, str(folder), str(settings.get("split", "")), source, str(settings.get("clips", "")))


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = dict(read_manifest(folder))
        return {"asset": manifest["asset"], "digest": manifest["digest"]}
    except (ValueError, KeyError) as error:
        raise StoreError(f"{name_text(folder)} is damaged: {reason(error)}") from error


def _of_checkpoint(address: str, digest: str, source: Source) -> Answers:
    """Answers of a training in the store: of its newest evaluation, or made now."""
    store = source.store
    for corpus in trained_corpora():
        for split in corpus.splits:
            asset = corpus.asset("checkpoint", split)
            try:
                if not store.place(asset, digest).is_dir():
                    continue
            except StoreError:
                continue
            found = [
                artifact
                for artifact in store.find(corpus.asset("evaluation", split))
                if artifact.manifest.get("inputs", {}).get("checkpoint") == digest
            ]
            if found:
                evaluation = store.open(found[-1].asset, found[-1].digest)
                return _read(address, evaluation.path, source.protocol)
            checkpoint = store.open(asset, digest)
            lists = str(checkpoint.manifest.get("inputs", {}).get("clips", ""))
            return _evaluated(address, str(checkpoint.path), split, source, lists)
    raise NrdferError(f"{one_line(address)}: the training {digest[:12]} is not in the store {store.root}")


def _evaluated(address: str, model: str, split: str, source: Source, clips: str = "") -> Answers:
    """Answers of a training that has none stored, on the test clips of its split.

    Args:
        address: as it was given.
        model: of `nrdfer.registry.checked_weights`.
        split: whose test clips are predicted.
        source: see there.
        clips: digest of the lists that it was trained with, if known.
    """
    from nrdfer.evaluation.checkpoints import EvaluationSet, evaluate_checkpoint

    found: Split = find_split(source.profile, split, source.shards, source.folds)
    if clips and clips != _clips_digest(found):
        raise NrdferError(
            f"{one_line(address)} was trained with other lists of clips than {split} has in profile "
            f"{source.profile.name}; give its own --shards and --folds, or its --profile"
        )
    source.tell(f"{one_line(address)} has no stored answers: predicting {len(found.test_ids)} clips of {split}")
    with checked_weights(model) as network, tempfile.TemporaryDirectory() as scratch:
        evaluate_checkpoint(
            network.folder,
            EvaluationSet(found.shards, list(found.test_ids), source.profile.data),
            Path(scratch),
            title=split,
            engine=source.profile.engine,
            protocols=(source.protocol,),
        )
        return _read(address, Path(scratch), source.protocol)


def _clips_digest(split: Split) -> str:
    from nrdfer.store import digest_of

    return digest_of([sorted(split.train_ids), sorted(split.test_ids)])


def _read(address: str, folder: Path, protocol: str) -> Answers:
    """The answers of an evaluation's folder."""
    path = predictions_path(folder, protocol)
    for file in (path, folder / MODEL, folder / METRICS):
        if was_changed(file):
            raise NrdferError(f"{name_text(file)} was changed since nrdfer made it; evaluate the training again")
    try:
        settings = json.loads((folder / MODEL).read_text(encoding="utf-8"))["settings"]
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        if protocol not in metrics:  # a file of an earlier evaluation into the same folder
            raise ValueError(f"its last evaluation was not under the {protocol} protocol")
        emotions = tuple(metrics[protocol].get("shared_emotions", emotions_in(settings)))
        table = pd.read_parquet(path, columns=["clip_id", "emotion", "predicted"])
        truth = emotion_indices(table["emotion"], emotions)
        predicted = emotion_indices(table["predicted"], emotions)
        ids = tuple(table["clip_id"].astype(str))
        if not ids or len(set(ids)) < len(ids):
            raise ValueError("it holds no clip" if not ids else "it holds a clip twice")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise NrdferError(
            f"the answers in {name_text(folder)} cannot be read ({reason(error)}); evaluate the training again"
        ) from error
    return Answers(one_line(address), protocol, emotions, ids, ("",) * len(ids), truth, np.stack([predicted]))
