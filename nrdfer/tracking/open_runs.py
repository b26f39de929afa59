"""MLflow runs that processes have open: one small file each, so that a killed one's can be closed.

Keep here: the files, below ``pipeline-runs`` and ``open-runs`` of this project's folder. Keep out: telling
MLflow (``pending_uploads``). A file names its process's lease; if that is over, the file records what is left to do.
Reading one imports no MLflow, so the steps of a pipeline find their pipeline's run here.
"""

from __future__ import annotations

import json
import logging
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from nrdfer.core import file_locks, leases, paths
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.coerce import convert
from nrdfer.core.errors import TrackingError
from nrdfer.core.safe_names import checked_name
from nrdfer.core.state_files import read_state

_log = logging.getLogger(__name__)
_STATUSES = ("", "FINISHED", "FAILED", "KILLED")
_LATEST = 1e14  # milliseconds since 1970: in some thousand years


#: What earlier releases wrote instead of a lease. They run no more, so their files are abandoned.
_FORMER = frozenset({"host", "process"})
_SIGNATURE = re.compile(r"[0-9]{1,10}:[0-9]{1,15}(\.[0-9]{1,9})?")


@dataclass(frozen=True, kw_only=True)
class _Leased:
    lease: str = field(default_factory=leases.of_this_process)  # of the process that opened it; empty: unknown, ended


@dataclass(frozen=True, kw_only=True)
class OpenPipeline(_Leased):
    """The run of a pipeline, from its beginning until its end is recorded in MLflow."""

    uri: str = ""  # of its MLflow; empty: not known yet
    run_id: str = ""  # of MLflow's run; empty: MLflow has not answered yet
    make: bool = False  # create it in MLflow even if no part of it was logged
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    started: float | None = None  # seconds since 1970
    status: str = ""  # how it ended; empty: it runs
    ended: float | None = None
    killed: bool = False  # its end was found by the next start only


@dataclass(frozen=True, kw_only=True)
class OpenRun(_Leased):
    """A training's run; the file's name is the training's digest, by which MLflow's run is found."""

    uri: str = ""
    status: str = "FAILED"  # what it gets if the process is gone
    ended: int | None = None  # milliseconds since 1970; None: now


def check_end(status: str, *times: float | None) -> None:
    """Refuse what MLflow would refuse at every start: an invalid status or time.

    Raises:
        ValueError: see above.
    """
    if status not in _STATUSES:
        raise ValueError(f"{status[:20]!r} is no status")
    if not all(time is None or 0 <= time < _LATEST for time in times):
        raise ValueError("its times are none")


Record = TypeVar("Record", OpenPipeline, OpenRun)


class OpenFiles(Generic[Record]):
    """The files of one kind, by name."""

    def __init__(self, folder: str, kind: type[Record]) -> None:
        self._folder = folder
        self._kind: type[Record] = kind

    @property
    def folder(self) -> Path:
        """Folder of the files."""
        return paths.home() / self._folder

    def read(self, name: str) -> Record | None:
        """Content of a file; None if it is missing, or damaged or from another version: then it is moved away.

        Raises:
            TrackingError: it can be no file's name.
        """
        return self._read(self._path(name))

    def _read(self, path: Path) -> Record | None:
        return read_state(path, self._understand, _log)

    def _path(self, name: str) -> Path:
        """Path of a run's file; the run's id may come from Dagster's database or from the launcher of the run."""
        try:
            return self.folder / checked_name(name, "the id of a run")
        except ValueError as error:
            raise TrackingError(str(error)) from error

    def _understand(self, record: Any) -> Record:
        hints = typing.get_type_hints(self._kind)
        known = {name: value for name, value in record.items() if name not in _FORMER}
        understood: Record = self._kind(
            **{"lease": "", **{name: convert(value, hints[name]) for name, value in known.items()}}
        )
        if understood.lease:
            checked_name(understood.lease, "the name of a lease")
        elif not _SIGNATURE.fullmatch(record["process"]):
            raise ValueError("it names neither a lease nor a process of an earlier release")
        check_end(understood.status, understood.ended)
        return understood

    def write(self, name: str, record: Record) -> None:
        """Write a file, as a whole."""
        write_whole(self._path(name), json.dumps(asdict(record)).encode())

    def change(self, name: str, **fields: Any) -> Record:
        """Change some fields; a missing file is created, with the lease of this process."""
        with file_locks.held(paths.home() / f"{self._folder}.lock"):
            record: Record = replace(self.read(name) or self._kind(), **fields)
            self.write(name, record)
            return record

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        self._path(name).unlink(missing_ok=True)

    def abandoned(self) -> dict[str, Record]:
        """Files of processes that have ended.

        A pipeline's is named by its run's id, and so is the lease of the run's process, which outlives the step that
        may have made the file.
        """
        return {
            name: record
            for name, record in self
            if leases.is_over(name) and (not record.lease or leases.is_over(record.lease))
        }

    def __iter__(self) -> Iterator[tuple[str, Record]]:
        """All files that can be read."""
        for path in sorted(self.folder.glob("*")):
            record = None if path.name.startswith(".") else self._read(path)  # hidden: being written, or damaged
            if record is not None:
                yield path.name, record


#: Named by the id of Dagster's run.
PIPELINES = OpenFiles("pipeline-runs", OpenPipeline)
#: Named by a training's digest.
RUNS = OpenFiles("open-runs", OpenRun)
