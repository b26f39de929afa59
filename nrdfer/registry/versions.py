"""Registered versions: one per trained checkpoint, with its files' sha256 and its lineage tags.

Registering the same checkpoint again finds the version that exists; if that version's files were changed meanwhile, a
new one is registered as well. The content of a version's folder belongs to ``logged_models``, aliases to ``aliases``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nrdfer.core import file_locks, paths
from nrdfer.core.errors import WeightsError
from nrdfer.registry import tags, verified_open
from nrdfer.registry.logged_models import Content, find_logged, log_checkpoint
from nrdfer.runtime.code_version import code_version
from nrdfer.tracking.client import Tracking, pages

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CROPS, VIDEO = "crops", "video"
_ABOUT = {
    CROPS: "One version per trained checkpoint: 16 aligned face crops in, one emotion out.",
    VIDEO: "Champions that take videos: a path or a file's bytes in, the emotion and a timeline out.",
}
_ALIASES = (
    "Aliases: fd1 to fd5 are DFEW's folds, champion has the best honest WAR. What a version was made of: "
    "nrdfer lineage models:/{name}@champion"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Registered:
    """One registered version."""

    name: str
    version: str
    created: bool  # False: the version was there already

    @property
    def uri(self) -> str:
        """``models:/<name>/<version>``."""
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True)
class Facts:
    """Facts that a version records about itself.

    Attributes:
        checkpoint_digest: of the checkpoint's artefact; the identity of the version.
        card: Markdown, shown by the registry's page.
        epoch: whose weights these are.
        metrics: figures of these weights.
        tags: that lead back to its making.
    """

    checkpoint_digest: str
    card: str
    epoch: int
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def registered_name(network: str, corpus: str) -> str:
    """Name of a registered model: the network's in `nrdfer.models.registry` and the corpus's, ``nr-dfernet-dfew``."""
    return f"{network}-{corpus}"


def find_version(tracking: Tracking, name: str, checkpoint_digest: str) -> ModelVersion | None:
    """The newest version made from a checkpoint, if it is registered."""
    asked = (
        f"name = '{name}' and tags.`{tags.CHECKPOINT}` = '{checkpoint_digest}'"  # one request, however many there are
    )
    made = pages(lambda token: tracking.client.search_model_versions(asked, page_token=token))
    return max(made, key=lambda version: int(version.version), default=None)


def register(
    tracking: Tracking,
    name: str,
    run_id: str,
    content: Content,
    facts: Facts,
    *,
    kind: str = CROPS,
    log: logging.Logger = _log,
) -> Registered:
    """Register a checkpoint as a version of `name`, unless it is registered already.

    Args:
        tracking: the MLflow store.
        name: registered model's name.
        run_id: MLflow run that trained it.
        content: the version's files.
        facts: recorded with the version.
        kind: of its input: `CROPS` or `VIDEO`.
        log: receives a warning if a registered version's files were changed.
    """
    # Two folds that register at once would race for the next version number.
    with file_locks.held(paths.home() / "registry.lock"):
        existing = find_version(tracking, name, facts.checkpoint_digest)
        if existing is not None:
            try:
                verified_open.open_version(f"models:/{name}/{existing.version}", tracking)
                return Registered(name, str(existing.version), created=False)
            except WeightsError as error:
                log.warning("%s. It stays as it is; the checkpoint is registered again", error)
        client = tracking.client
        _make_registered_model(tracking, name, f"{_ABOUT[kind]} {_ALIASES.format(name=name)}")
        logged = log_checkpoint(
            tracking,
            run_id,
            content,
            name=f"{facts.tags[tags.FOLD]}-{kind}-epoch-{facts.epoch}",
            step=facts.epoch,
            digest=facts.checkpoint_digest,
            protocol=f"honest-{kind}",
            metrics=facts.metrics,
        )
        own = {
            tags.CHECKPOINT: facts.checkpoint_digest,
            tags.FILES: json.dumps(logged.files, separators=(",", ":")),
            tags.CODE: json.dumps(code_version().to_dict()),
            tags.ROLE: kind,
        }
        version = client.create_model_version(
            name,
            logged.uri,
            run_id=run_id,
            tags={**facts.tags, **own},
            description=facts.card,
            model_id=logged.model_id,
        )
        return Registered(name, str(version.version), created=True)


def _make_registered_model(tracking: Tracking, name: str, description: str) -> None:
    """Create the registered model if it is missing; a process of another project folder may be first."""
    from mlflow.exceptions import MlflowException

    client, asked = tracking.client, f"name = '{name}'"
    if client.search_registered_models(asked):
        return
    try:
        client.create_registered_model(name, description=description)
    except MlflowException:
        if not client.search_registered_models(asked):
            raise


def log_best(tracking: Tracking, run_id: str, content: Content, facts: Facts) -> None:
    """Log the paper protocol's checkpoint (best epoch on the test clips) as a model of its run, not registered."""
    # The search removes remains of a killed process; without the lock it could remove the work of a live one.
    with file_locks.held(paths.home() / "registry.lock"):
        if find_logged(tracking, run_id, facts.checkpoint_digest, "paper") is None:
            log_checkpoint(
                tracking,
                run_id,
                content,
                name=f"{facts.tags[tags.FOLD]}-best-epoch-{facts.epoch}",
                step=facts.epoch,
                digest=facts.checkpoint_digest,
                protocol="paper",
                metrics=facts.metrics,
            )


__all__ = [
    "CROPS", "VIDEO", "Facts", "Registered", "find_version", "log_best", "register",
    "registered_name",
]  # fmt: skip
