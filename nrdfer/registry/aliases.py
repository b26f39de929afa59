"""Aliases of registered versions, and when ``champion`` moves.

The champion moves only to a better honest figure. Figures measured on different clips cannot be compared: then the
version that was tested on more clips counts as better established, so that your corpus replaces the rendered sample,
and a quick trial on a few clips replaces nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from nrdfer.core import file_locks, paths
from nrdfer.core.errors import WeightsError
from nrdfer.registry import tags, verified_open
from nrdfer.tracking.client import Tracking

CHAMPION = "champion"


@dataclass(frozen=True)
class Challenge:
    """Result of comparing a version with the champion."""

    moved: bool
    champion: str  # version that is champion now
    reason: str


@dataclass(frozen=True)
class _Figure:
    """Figure by which a version is judged."""

    data: str
    clips: int
    war: float

    @classmethod
    def of(cls, name: str, version: str, known: dict[str, str]) -> _Figure:
        try:
            return cls(known[tags.DATA], int(known[tags.TEST_CLIPS]), float(known[tags.WAR]))
        except (KeyError, ValueError) as error:
            raise WeightsError(
                f"models:/{name}/{version} does not say what it was measured at ({error!r}); delete the version in "
                "MLflow's page and run: nrdfer reproduce"
            ) from error


def point_alias(tracking: Tracking, name: str, alias: str, version: str) -> None:
    """Set an alias to a version (a no-op if it already is)."""
    with file_locks.held(paths.home() / "registry.lock"):
        if str(tracking.client.get_registered_model(name).aliases.get(alias)) != version:
            tracking.client.set_registered_model_alias(name, alias, version)


def challenge(tracking: Tracking, name: str, version: str) -> Challenge:
    """Make a version the champion of its model if its honest WAR is better than that of the present champion.

    Args:
        tracking: the MLflow store.
        name: registered model.
        version: the challenger.

    Raises:
        WeightsError: one of the two has no figure.
    """
    with file_locks.held(paths.home() / "registry.lock"):
        client = tracking.client
        challenger = _Figure.of(name, version, dict(client.get_model_version(name, version).tags))
        present = client.get_registered_model(name).aliases.get(CHAMPION)
        if str(present) == version:
            return Challenge(moved=False, champion=version, reason="is the champion")
        known = None if present is None else _tags_of(tracking, name, str(present))
        if known is None:
            moved, reason = True, "there was no champion"
        elif unusable := _unusable(tracking, name, str(present)):
            moved, reason = True, f"version {present} cannot be opened any more: {unusable}"
        else:
            moved, reason = _judge(challenger, _Figure.of(name, str(present), known), str(present))
        if moved:
            client.set_registered_model_alias(name, CHAMPION, version)
        return Challenge(moved, version if moved else str(present), reason)


def _tags_of(tracking: Tracking, name: str, version: str) -> dict[str, str] | None:
    """Tags of a version; None if it was deleted by hand while an alias referred to it."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

    try:
        return dict(tracking.client.get_model_version(name, version).tags)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise
        return None


def _unusable(tracking: Tracking, name: str, version: str) -> str:
    """Reason why a version cannot be opened, empty if it can be; a champion that cannot be opened is replaced."""
    try:
        verified_open.open_version(f"models:/{name}/{version}", tracking)
    except WeightsError as error:
        return str(error).partition(". ")[0]
    return ""


def _judge(challenger: _Figure, champion: _Figure, number: str) -> tuple[bool, str]:
    if challenger.data == champion.data:
        figures = f"honest WAR {100 * challenger.war:.2f} against {100 * champion.war:.2f} of version {number}"
        return challenger.war > champion.war, figures
    clips = (
        f"version {number} was measured on other clips: {champion.clips} of them, this one on {challenger.clips}; the "
        "larger test counts"
    )
    return challenger.clips > champion.clips, clips
