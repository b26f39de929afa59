"""The whole chain of a registered version: its files, its MLflow run, its Dagster runs and steps, then its data.

Links between a version and its steps are checked here in both directions; the data below a checkpoint belongs to
``data``.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrdfer.core.errors import CorpusError, NrdferError, WeightsError
from nrdfer.corpora.registry import corpus_of
from nrdfer.evaluation.checkpoints import read_metrics
from nrdfer.lineage.data import DataWalk
from nrdfer.lineage.hashes import Hashes
from nrdfer.lineage.history import Orchestrator
from nrdfer.lineage.links import Chain, Link
from nrdfer.models.trained_files import LAST
from nrdfer.publish.register_model import RESOLVED, flat_figures
from nrdfer.registry import tags, verified_open
from nrdfer.registry.file_lists import listed_files
from nrdfer.registry.versions import VIDEO
from nrdfer.store import Store, digest_of, read_manifest
from nrdfer.tracking.client import TAG_ASSET, TAG_DAGSTER_RUN, TAG_DIGEST, Tracking, pages
from nrdfer.tracking.dataset_inputs import clips_digest

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion


class Walk:
    """Chains of the versions of one registry.

    Args:
        tracking: the MLflow store.
        store: of artefacts.
        orchestrator: what remembers the runs.
        hashes: memory of files' digests; says whether files are read at all.
    """

    def __init__(self, tracking: Tracking, store: Store, orchestrator: Orchestrator, hashes: Hashes) -> None:
        self._tracking = tracking
        self._store = store
        self._history = orchestrator
        self._data = DataWalk(store, hashes)
        self._aliases_of: dict[str, dict[str, list[str]]] = {}

    def all_versions(self) -> list[str]:
        """Addresses of every version of every registered model, in order."""
        client = self._tracking.client
        found = [
            (str(version.name), int(version.version))
            for version in pages(lambda token: client.search_model_versions(page_token=token))
        ]
        return [f"models:/{name}/{number}" for name, number in sorted(found)]

    def chain(self, model: str) -> Chain:
        """The chain of one version.

        Raises:
            WeightsError: there is no such version. Everything else that is wrong is a broken link.
        """
        version = verified_open.look_up(self._tracking, model)
        uri = f"models:/{version.name}/{version.version}"
        mine = sorted(self._aliases(str(version.name)).get(str(version.version), ()))
        return Chain(uri, tuple(mine), tuple(self._links(uri, version)))

    def _aliases(self, name: str) -> dict[str, list[str]]:
        """Version -> its aliases, of a registered model; queried once."""
        if name not in self._aliases_of:
            found: dict[str, list[str]] = {}
            for alias, number in self._tracking.client.get_registered_model(name).aliases.items():
                found.setdefault(str(number), []).append(str(alias))
            self._aliases_of[name] = found
        return self._aliases_of[name]

    def _links(self, uri: str, version: ModelVersion) -> Iterator[Link]:
        known = dict(version.tags)
        yield self._files(uri, version)
        checkpoint = known.get(tags.CHECKPOINT, "")
        asset = f"{_folder(known)}/checkpoint"
        if not checkpoint:
            yield Link("registered version", uri, problem=f"no tag {tags.CHECKPOINT}: not registered by this project")
            return
        yield self._same_weights(uri, known, asset, checkpoint)
        yield from self._mlflow(uri, version, known, checkpoint)
        yield from self._dagster(uri, known, asset, checkpoint)
        if known.get(tags.ROLE) == VIDEO:
            yield self._made_of(uri, known)
        else:
            yield self._named(uri, known)
        yield from self._evaluation(known)
        yield from self._data.checkpoint(asset, checkpoint)

    def _files(self, uri: str, version: ModelVersion) -> Link:
        """The version's own files, checked as `guard` does before anything is loaded."""
        listed = str(version.tags.get(tags.FILES, ""))
        try:
            opened = verified_open.open_version(uri, self._tracking)
        except WeightsError as error:
            return Link("registered version", uri, uri, digest_of(listed), problem=str(error))
        count = len(json.loads(listed))
        return Link(
            "registered version", uri, str(opened.folder), digest_of(listed), note=f"{count} files as registered"
        )

    def _same_weights(self, uri: str, known: Mapping[str, str], asset: str, checkpoint: str) -> Link:
        """Check that the registered weights are the checkpoint's."""
        name = f"weights of {uri}"
        try:
            mine = _weights(uri, known)
            files = read_manifest(self._store.local_path(asset, checkpoint))["files"]
            theirs = files[LAST]["sha256"]
        except (NrdferError, ValueError, KeyError) as error:
            return Link("registered weights", name, problem=f"cannot be compared with the checkpoint's: {error}")
        problem = "" if mine == theirs else f"sha256 {mine[:12]}, but the checkpoint's weights have {theirs[:12]}"
        return Link("registered weights", name, uri, mine, problem)

    def _mlflow(self, uri: str, version: ModelVersion, known: Mapping[str, str], checkpoint: str) -> Iterator[Link]:
        from mlflow.exceptions import MlflowException

        run_id = str(version.run_id)
        where = self._tracking.run_url(run_id)
        try:
            run = self._tracking.client.get_run(run_id)
        except MlflowException as error:
            yield Link("MLflow run", run_id, where, run_id, problem=f"cannot be read: {error}")
            return
        recorded = run.data.tags
        wrong = [
            f"its {key} is {recorded.get(key, 'missing')}, the version's {expected}"
            for key, expected in ((TAG_DIGEST, checkpoint), (TAG_DAGSTER_RUN, known.get(TAG_DAGSTER_RUN, "")))
            if recorded.get(key) != expected
        ]
        if run.info.status != "FINISHED":
            wrong.append(f"its status is {run.info.status}")
        yield Link("MLflow run", str(run.info.run_name), where, run_id, "; ".join(wrong))
        yield self._back_from_run(uri, version, run)
        yield self._config(run, known)
        yield from self._datasets(run, known)

    def _back_from_run(self, uri: str, version: ModelVersion, run: Run) -> Link:
        """Check that the training's run lists the version's logged model: the link back from MLflow's run."""
        made = {output.model_id for output in (run.outputs.model_outputs if run.outputs else [])}
        model_id = verified_open.model_id_of(version)
        problem = "" if model_id in made else "the MLflow run does not name it among its models"
        return Link("logged model", f"{uri} among its run's models", str(version.source), model_id, problem)

    def _config(self, run: Run, known: Mapping[str, str]) -> Link:
        """Check that the resolved profile stored with the run is the one the version names."""
        from mlflow.exceptions import MlflowException

        expected, name = known.get(tags.CONFIG, ""), "resolved config"
        where = f"runs:/{run.info.run_id}/{RESOLVED}"
        try:
            with tempfile.TemporaryDirectory() as scratch:
                path = self._tracking.client.download_artifacts(run.info.run_id, RESOLVED, scratch)
                found = digest_of(json.loads(Path(path).read_text()))
        except (MlflowException, OSError, ValueError, RecursionError) as error:
            return Link(name, known.get(tags.PROFILE, "?"), where, expected, f"cannot be read: {error}")
        problem = "" if found == expected else f"its digest is {found[:12]}, the version's {expected[:12]}"
        return Link(name, f"profile {known.get(tags.PROFILE)}", where, expected, problem)

    def _datasets(self, run: Run, known: Mapping[str, str]) -> Iterator[Link]:
        """Check that MLflow's data set inputs match the lists of clips in the store."""
        recorded = {
            entry.dataset.name: entry.dataset.digest for entry in (run.inputs.dataset_inputs if run.inputs else [])
        }
        for part, ids in self._data.trained_on(f"{_folder(known)}/checkpoint", known[tags.CHECKPOINT]).items():
            names = [name for name in recorded if name.endswith(f"-{part}")]
            problem = "the MLflow run names no such data set"
            if names:
                problem = "" if recorded[names[0]] == clips_digest(ids) else "names other clips than the store's list"
            yield Link(
                "data set input", names[0] if names else part, f"{run.info.run_id}/{part}", clips_digest(ids), problem
            )

    def _dagster(self, uri: str, known: Mapping[str, str], asset: str, checkpoint: str) -> Iterator[Link]:
        """Check the runs that trained and evaluated, their steps, and that the evaluation's step names this version."""
        trained, evaluated = known.get(TAG_DAGSTER_RUN, ""), known.get(tags.EVALUATED_BY, "")
        for what, run_id in (("trained", trained), ("evaluated and registered", evaluated)):
            yield self._run(what, run_id)
        yield self._step(known.get(TAG_ASSET, asset), checkpoint, "trained")
        measured = f"{_folder(known)}/evaluation"
        yield self._step(measured, known.get(tags.EVALUATION, ""), "evaluated")

    def _named(self, uri: str, known: Mapping[str, str]) -> Link:
        """Check that the evaluation's step names this version: the link from Dagster to the registry."""
        measured, digest = f"{_folder(known)}/evaluation", known.get(tags.EVALUATION, "")
        made = [step.metadata for step in self._history.materialisations(measured, digest)]
        named = {each.get("model_uri", each.get("registered_model")) for each in made}  # the latter of earlier runs
        problem = "" if uri in named else f"its steps name {', '.join(sorted(map(str, named))) or 'no version'}"
        return Link("named by its step", uri, f"{measured} -> {uri}", digest, problem)

    def _made_of(self, uri: str, known: Mapping[str, str]) -> Link:
        """The version for crops whose weights a version for videos contains."""
        of = known.get(tags.OF, "")
        try:
            other = dict(verified_open.look_up(self._tracking, of).tags)
            problem = "" if _weights(of, other) == _weights(uri, known) else f"has other weights than {of}"
        except NrdferError as error:
            problem = str(error)
        return Link("made of version", of or "none named", f"{uri} -> {of}", problem=problem)

    def _run(self, what: str, run_id: str) -> Link:
        seen = self._history.run(run_id) if run_id else None
        if seen is None:
            return Link("Dagster run", what, run_id, run_id, "Dagster's history knows no such run")
        return Link("Dagster run", f"{what} by {seen.job}", seen.address, run_id, note=seen.status)

    def _step(self, asset_key: str, digest: str, what: str) -> Link:
        steps = self._history.materialisations(asset_key, digest) if digest else []
        problem = "" if steps else f"no step of Dagster's history materialised {asset_key} with this digest"
        step = f"{steps[0].step} in run {steps[0].run_id[:8]}" if steps else asset_key
        return Link("Dagster step", f"{what} by {step}", f"{asset_key}@{digest[:12]}", digest, problem)

    def _evaluation(self, known: Mapping[str, str]) -> Iterator[Link]:
        asset, digest = f"{_folder(known)}/evaluation", known.get(tags.EVALUATION, "")
        manifest = yield from self._data.artifact(asset, digest)
        if manifest is None:
            return
        yield self._data.code(asset, manifest)
        try:
            figures = flat_figures(read_metrics(self._store.local_path(asset, digest)))
        except (OSError, ValueError) as error:
            yield Link("figures", asset, digest=digest, problem=f"cannot be read: {error}")
            return
        wrong = [key for key, value in figures.items() if known.get(key) != f"{value:.6f}"]
        problem = f"the version states another {wrong[0]} than its evaluation" if wrong else ""
        yield Link("figures", f"honest WAR {100 * figures[tags.WAR]:.2f}", f"{asset}@{digest[:12]}", digest, problem)


def _weights(uri: str, known: Mapping[str, str]) -> str:
    """sha256 of a version's weights, as it was registered."""
    listed = listed_files(uri, known)
    (found,) = {digest for path, digest in listed.items() if path.rpartition("/")[2] == LAST}
    return found


def _folder(known: Mapping[str, Any]) -> str:
    """``dfew/fd1`` or ``afew``: the store folder of a version's split."""
    split = str(known.get(tags.FOLD, ""))
    try:
        return corpus_of(split).asset("evaluation", split).removesuffix("/evaluation")
    except CorpusError:
        return split or "unknown"
