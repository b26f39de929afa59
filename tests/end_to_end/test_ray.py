"""The whole job on a cluster of Ray: two hosts, one shared folder, the bytes of one machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.ray_cluster import RayCluster, missing
from tests.end_to_end.clusters import Reproduced, run_everything

WANTED = "TESTS_OF_RAY"  # a host of Ray that dies is tested always: tests/unit/pipelines/test_cluster_steps.py

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing() != "", reason=missing()),
    pytest.mark.skipif(WANTED not in os.environ, reason=f"takes ten minutes on two cores; set {WANTED}=1 to run it"),
]


@pytest.fixture
def cluster() -> Iterator[RayCluster]:
    folder = Path(tempfile.mkdtemp(prefix="nrdfer-", dir="/tmp"))  # sockets need short names
    try:
        with RayCluster(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_everything_runs_and_has_the_bytes_of_one_machine(
    cluster: RayCluster, tmp_path: Path, untouched: Reproduced
) -> None:
    run_everything(cluster, tmp_path / "project", untouched)
