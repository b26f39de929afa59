"""Cores and a GPU for a step, by the run's profile and what the step is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pipelines import step_needs
from pipelines.definitions import defs
from pipelines.step_needs import GPU_POOL, TAG_CORES, TAG_ENGINE, TAG_NODES, Needs, needs_of


def profile(device: str = "auto", workers: int = 8, nodes: int = 2, devices: int = 4) -> Any:
    engine = SimpleNamespace(device=device, threads=2, workers=4, nodes=nodes, devices=devices)
    return SimpleNamespace(workers=workers, engine=engine)


@pytest.mark.parametrize(
    ("pool", "tags", "device", "expected"),
    [
        (GPU_POOL, {}, "auto", Needs(4, gpu=True)),
        (GPU_POOL, {}, "cuda", Needs(4, gpu=True)),
        (GPU_POOL, {}, "cpu", Needs(4)),
        (GPU_POOL, {TAG_NODES: "nodes"}, "auto", Needs(8, nodes=2, gpu=True)),
        (None, {TAG_CORES: "workers"}, "auto", Needs(8)),
        (None, {}, "auto", Needs(1)),
        (None, {TAG_ENGINE: "device"}, "cuda", Needs(4, gpu=True)),
        (None, {TAG_ENGINE: "device"}, "cpu", Needs(4)),
    ],
)
def test_a_step_needs_what_its_profile_says(
    pool: str | None, tags: dict[str, str], device: str, expected: Needs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_needs, "settings_of", lambda context: profile(device))
    context: Any = None
    assert needs_of(context, pool, tags) == expected


def test_a_run_with_an_invalid_profile_still_starts_the_step_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_needs, "settings_of", lambda context: None)
    context: Any = None
    assert needs_of(context, GPU_POOL, {}) == Needs()


def test_steps_that_start_processes_and_trainings_are_known_by_tag_and_pool() -> None:
    job = defs.resolve_job_def("full_reproduction")
    nodes = [node.definition for node in job.all_node_defs if hasattr(node, "definition")] or list(job.all_node_defs)
    tagged = {node.name for node in nodes if TAG_CORES in (getattr(node, "tags", None) or {})}
    spread = {node.name for node in nodes if TAG_NODES in (getattr(node, "tags", None) or {})}
    pooled = {node.name for node in nodes if getattr(node, "pool", None) == GPU_POOL}
    assert {"dfew__shards", "afew__shards", "dfew__clips", "afew__videos", "afew_aligned_faces_chunk"} <= tagged
    assert {"dfew__fd1__checkpoint", "afew__checkpoint"} <= pooled & spread
    assert not any("evaluation" in name for name in spread)
    computing = {node.name for node in nodes if TAG_ENGINE in (getattr(node, "tags", None) or {})}
    assert {"dfew__fd1__evaluation", "afew__evaluation"} <= computing
