"""A chunk that fails is tried again alone, and nothing that is finished is repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets import asset_groups
from assets.chunked_assets import clip_asset
from assets.project_resource import ArtifactReferences, Workbench
from nrdfer.store import Artifact, Store

CLIPS = [f"clip{i}" for i in range(7)]


class Work:
    """Writes a file a clip; keeps a diary; may be told to fail."""

    asset, code_version = "demo/out", "1"
    config: Mapping[str, Any] = {}
    facts: Mapping[str, Any] = {"fact": 1}
    failures: dict[str, int] = {}  # noqa: RUF012  (set by each test)
    diary: list[str] = []  # noqa: RUF012
    meanwhile: Callable[[], object] | None = None  # happens after the first clip

    def __init__(self, workbench: Workbench, read: Sequence[Artifact]) -> None:
        (source,) = read
        self.inputs = {"source": source.digest}

    def pending(self, work: Path) -> list[str]:
        return [clip for clip in CLIPS if not (work / clip).is_file()]

    def work_on(self, clip_ids: Sequence[str], work: Path, progress: Callable[[int, int], None]) -> None:
        for clip in clip_ids:
            if (work / clip).is_file():
                continue
            if self.failures.get(clip, 0) > 0:
                self.failures[clip] -= 1
                raise RuntimeError(f"{clip} failed")
            self.diary.append(clip)
            (work / clip).write_text(clip)
            if (hook := type(self).meanwhile) is not None:
                type(self).meanwhile = None
                hook()

    def publish(self, work: Path, out: Path) -> Mapping[str, Any]:
        assert self.pending(work) == []
        (out / "all").write_text(" ".join((work / clip).read_text() for clip in CLIPS))
        return {"clips": len(CLIPS)}

    def metadata(self, published: Path) -> Mapping[str, Any]:
        return {"text": (published / "all").read_text()}


@dg.asset(key=["demo", "source"])
def source(workbench: Workbench) -> Artifact:
    return workbench.store.build(
        "demo/source", code_version="1", config={}, inputs={}, build=lambda out: {"n": (out / "x").write_text("x")}
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dg.ExecuteInProcessResult]:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    (tmp_path / "p.yaml").write_text("name: p\ndescription: d\nchunk_clips: 3\n")
    Work.failures, Work.diary, Work.meanwhile = {}, [], None
    asset = clip_asset(
        "demo/out", {"source": "demo/source"}, Work, group=asset_groups.FACES.name, description="Demo.", kinds=set()
    )
    workbench = Workbench(profile="p", profiles_folder=str(tmp_path))
    resources = {
        "workbench": workbench,
        "io_manager": ArtifactReferences(workbench=workbench),
        "chunks": dg.FilesystemIOManager(base_dir=str(tmp_path / "chunks")),
    }

    def execute() -> dg.ExecuteInProcessResult:
        return dg.materialize([source, asset], resources=resources, raise_on_error=False)

    return execute


def metadata(result: dg.ExecuteInProcessResult) -> Mapping[str, Any]:
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == dg.AssetKey(["demo", "out"])]
    return {key: value.value for key, value in event.step_materialization_data.materialization.metadata.items()}


def test_all_chunks_make_one_artefact(run: Callable[[], dg.ExecuteInProcessResult]) -> None:
    result = run()
    assert result.success
    facts = metadata(result)
    assert (facts["chunks"], facts["clips"], facts["up_to_date"], facts["text"]) == (3, 7, False, " ".join(CLIPS))
    assert Work.diary == CLIPS
    again = run()
    assert again.success
    assert metadata(again)["up_to_date"] is True
    assert metadata(again)["chunks"] == 0
    assert Work.diary == CLIPS


def test_a_chunk_that_fails_is_retried_alone(run: Callable[[], dg.ExecuteInProcessResult]) -> None:
    Work.failures = {"clip4": 2}
    result = run()
    assert result.success
    assert sorted(Work.diary) == CLIPS  # each clip once, those before the failure in the same chunk included
    retried = {event.step_key for event in result.all_events if event.is_step_up_for_retry}
    assert retried == {"demo__out.demo_out_chunk[from_000003]"}


def test_what_was_finished_stays_finished_when_a_run_fails(
    run: Callable[[], dg.ExecuteInProcessResult], tmp_path: Path
) -> None:
    Work.failures = {"clip4": 99}
    assert not run().success
    assert sorted(Work.diary) == ["clip0", "clip1", "clip2", "clip3", "clip6"]
    assert Store(tmp_path / "store").find("demo/out") == []
    Work.failures = {}
    result = run()
    assert result.success
    assert sorted(Work.diary) == CLIPS
    assert metadata(result)["chunks"] == 1  # the two clips that were left


def test_another_run_that_publishes_meanwhile_ends_nothing(
    run: Callable[[], dg.ExecuteInProcessResult], tmp_path: Path
) -> None:
    others: list[dg.ExecuteInProcessResult] = []
    Work.meanwhile = lambda: others.append(run())
    result = run()  # its folder of work is gone after its first clip
    assert others[0].success and result.success
    assert metadata(others[0])["up_to_date"] is False and metadata(result)["up_to_date"] is True
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    assert [*(tmp_path / "store/.work").rglob("clip*")] == []
    assert len(Store(tmp_path / "store").find("demo/out")) == 1
