"""Dagster's history as lineage reads it: runs, and which step made, or found, which artefact.

Offered to the library under the entry point ``nrdfer.orchestrators``. Nothing is changed here; repairing is
``repair``'s business.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from nrdfer import paths
from nrdfer.errors import NrdferError
from nrdfer.lineage.history import Materialisation, RunSeen
from nrdfer.tracking import dagster_url

SETTINGS = "dagster.yaml"


class DagsterHistory:
    """What Dagster remembers in the project's folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or find_folder()

    def run(self, run_id: str) -> RunSeen | None:
        """See `nrdfer.lineage.history.Orchestrator`."""
        with self._instance() as instance:
            run = instance.get_run_by_id(run_id)
        return None if run is None else RunSeen(run_id, run.job_name, run.status.value, dagster_url(run_id))

    def materialisations(self, asset_key: str, digest: str) -> list[Materialisation]:
        """See `nrdfer.lineage.history.Orchestrator`."""
        found: list[Materialisation] = []
        with self._instance() as instance:
            cursor = None
            while True:
                page = instance.fetch_materializations(
                    dg.AssetKey(asset_key.split("/")), limit=200, cursor=cursor, ascending=True
                )
                for record in page.records:
                    event = record.event_log_entry
                    materialisation = record.asset_materialization
                    if materialisation is None:
                        continue
                    metadata = {key: value.value for key, value in materialisation.metadata.items()}
                    if metadata.get("digest") == digest:
                        step = str(event.step_key)
                        found.append(Materialisation(event.run_id, step, event.timestamp, metadata))
                if not page.has_more:
                    return found
                cursor = page.cursor

    @contextlib.contextmanager
    def _instance(self) -> Iterator[dg.DagsterInstance]:
        # the folders that dagster.yaml names are relative to the project's
        with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(self._folder):
            ref = InstanceRef.from_dir(scratch, config_dir=str(self._folder))
            with dg.DagsterInstance.from_ref(ref) as instance:
                yield instance


def find_folder() -> Path:
    """The folder whose ``dagster.yaml`` the runs of this project read.

    Raises:
        NrdferError: there is none.
    """
    asked = os.environ.get("DAGSTER_HOME")
    for folder in ([Path(asked)] if asked else []) + [Path.cwd(), paths.home().parent]:
        if (folder / SETTINGS).is_file():
            return folder.absolute()
    raise NrdferError(
        f"no {SETTINGS} here ({Path.cwd()}) or beside {paths.home()}, so Dagster's history cannot be found; go to the "
        "project's folder, or set DAGSTER_HOME to the folder that holds it"
    )
