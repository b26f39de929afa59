"""Dagster's history as lineage reads it: runs, and which step made, or found, which artefact.

Offered to the library under the entry point ``nrdfer.orchestrators``. Nothing is changed here; repairing belongs to
``repair``.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from nrdfer.lineage.history import Materialisation, RunSeen
from nrdfer.tracking.client import dagster_url
from pipelines.dagster_internals import InstanceRef
from pipelines.project.folder import find_folder

_LONG = 2000  # characters of a metadata value


class DagsterHistory:
    """Dagster's history in the project's folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or find_folder()
        self._runs: dict[str, RunSeen | None] = {}
        self._made: dict[str, dict[str, list[Materialisation]]] = {}

    def run(self, run_id: str) -> RunSeen | None:
        """See `nrdfer.lineage.history.Orchestrator`."""
        if run_id not in self._runs:
            with self._instance() as instance:
                run = instance.get_run_by_id(run_id)
            seen = None if run is None else RunSeen(run_id, run.job_name, run.status.value, dagster_url(run_id))
            self._runs[run_id] = seen
        return self._runs[run_id]

    def materialisations(self, asset_key: str, digest: str) -> list[Materialisation]:
        """See `nrdfer.lineage.history.Orchestrator`; an asset's history is read once, for all queries."""
        if asset_key not in self._made:
            found: dict[str, list[Materialisation]] = {}
            for made in self._read(asset_key):
                found.setdefault(str(made.metadata.get("digest")), []).append(made)
            self._made[asset_key] = found
        return self._made[asset_key].get(digest, [])

    def _read(self, asset_key: str) -> Iterator[Materialisation]:
        with self._instance() as instance:
            cursor = None
            while True:
                page = instance.fetch_materializations(
                    dg.AssetKey(asset_key.split("/")), limit=200, cursor=cursor, ascending=True
                )
                for record in page.records:
                    event, materialisation = record.event_log_entry, record.asset_materialization
                    if materialisation is not None:
                        # pictures are left out: they would all be in memory
                        values = ((key, value.value) for key, value in materialisation.metadata.items())
                        metadata = {key: value for key, value in values if len(str(value)) < _LONG}
                        yield Materialisation(event.run_id, str(event.step_key), event.timestamp, metadata)
                if not page.has_more:
                    return
                cursor = page.cursor

    @contextlib.contextmanager
    def _instance(self) -> Iterator[dg.DagsterInstance]:
        # the folders that dagster.yaml names are relative to the project's
        with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(self._folder):
            ref = InstanceRef.from_dir(scratch, config_dir=str(self._folder))
            with dg.DagsterInstance.from_ref(ref) as instance:
                yield instance
