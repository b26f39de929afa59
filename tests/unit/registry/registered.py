"""A tiny checkpoint and its registration, for tests of the registry."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nrdfer import registry
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.models.saved_model import cpu_weights, write_description, write_weights
from nrdfer.models.trained_files import LAST
from nrdfer.publish.model_files import crops_content
from nrdfer.registry import tags
from nrdfer.registry.verified_open import model_id_of
from nrdfer.registry.versions import Facts
from nrdfer.tracking.client import Tracking

NAME = "nr-dfernet-dfew"
TINY = {"image_size": 32, "widths": [4, 6, 8], "spatial_depth": 1, "temporal_depth": 1}

#: What a version says of itself besides its checkpoint.
TOLD = {tags.FOLD: "fd1", tags.DATA: "d" * 64, tags.TEST_CLIPS: "10", tags.WAR: "0.500000"}


def make_checkpoint(folder: Path) -> Path:
    folder.mkdir()
    settings = NRDFERNetSettings(**{**TINY, "widths": (4, 6, 8)})  # type: ignore[arg-type]
    write_weights(folder / LAST, cpu_weights(NRDFERNet(settings)))
    write_description(folder, "nr-dfernet", TINY, {})
    return folder


def register(
    tracking: Tracking,
    folder: Path,
    digest: str = "f" * 64,
    *,
    war: float = 0.5,
    clips: int = 10,
    data: str = "d",
) -> registry.Registered:
    run = tracking.training_run(digest, "fd1", None, {}, {})
    told = {
        tags.FOLD: "fd1",
        tags.DATA: data * 64,
        tags.TEST_CLIPS: str(clips),
        tags.WAR: f"{war:.6f}",
    }
    facts = Facts(digest, "# a card\n\nof one line", 3, {"war": war}, told)
    return registry.register(tracking, NAME, run, crops_content(folder, LAST, "# a card"), facts)


def model_folder(tracking: Tracking, version: str) -> Path:
    """Where MLflow keeps a version's files."""
    found = tracking.client.get_model_version(NAME, version)
    logged = tracking.client.get_logged_model(model_id_of(found))
    return Path(unquote(urlsplit(str(logged.artifact_location)).path))


def listed(tracking: Tracking, version: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(tracking.client.get_model_version(NAME, version).tags[tags.FILES])
    return found
