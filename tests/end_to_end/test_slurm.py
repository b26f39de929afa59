"""The whole job on a cluster of Slurm: two hosts, one shared folder, the bytes of one machine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.slurm_cluster import SlurmCluster, missing
from tests.end_to_end.clusters import Reproduced, run_everything

pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() != "", reason=missing())]


@pytest.fixture
def cluster() -> Iterator[SlurmCluster]:
    folder = Path(tempfile.mkdtemp(prefix="nrdfer-", dir="/tmp"))  # sockets need short names
    try:
        with SlurmCluster(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_everything_runs_and_has_the_bytes_of_one_machine(
    cluster: SlurmCluster, tmp_path: Path, untouched: Reproduced
) -> None:
    run_everything(cluster, tmp_path / "project", untouched)
