"""One line where a step ends, a failed one with its reason; a long silence is explained."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from pipelines import run_progress


def events() -> list[dg.DagsterEvent]:
    @dg.asset
    def good() -> None:
        pass

    @dg.asset(deps=[good])
    def bad() -> None:
        raise ValueError("no")

    @dg.asset(deps=[bad])
    def never() -> None:
        pass

    instance = dg.DagsterInstance.ephemeral()
    return dg.materialize([good, bad, never], instance=instance, raise_on_error=False).all_events


def test_lines_of_a_run() -> None:
    said: list[str] = []
    lines = run_progress.StepLines(said.append)
    end = run_progress.subscribe(lines)
    made = events()
    for event in made:
        run_progress.publish(event, "the disk\nis \x1b[31mfull" if event.is_step_failure else "")
    end()
    run_progress.publish(made[-1], "")
    assert [re.sub(r"^\d\d:\d\d:\d\d  |\d+\.\d", "", line) for line in said] == [
        "done     good   s",
        "FAILED   bad   s: the disk is " + repr("\x1b[31mfull")[1:-1],
    ]
    assert (lines.done, list(lines.failed)) == (["good"], ["bad"])


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("dfew__fd1__checkpoint", "dfew/fd1/checkpoint"),
        ("report", "report"),
        ("afew__aligned_faces.afew_aligned_faces_chunk[from_000064]", "afew/aligned_faces chunk[from_000064]"),
        ("afew__aligned_faces.other", "afew/aligned_faces other"),
    ],
)
def test_a_steps_name_is_its_assets(key: str, name: str) -> None:
    assert run_progress.step_name(key) == name


def test_a_check_is_named_by_its_asset() -> None:
    @dg.asset(key=["afew", "shards"])
    def shards() -> None:
        pass

    @dg.asset_check(asset=["afew", "shards"])
    def nothing_is_lost() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    said: list[str] = []
    lines = run_progress.StepLines(said.append)
    instance = dg.DagsterInstance.ephemeral()
    for event in dg.materialize([shards, nothing_is_lost], instance=instance).all_events:
        lines(event, "")
    assert lines.done == ["afew/shards", "afew/shards check nothing_is_lost"]


@pytest.mark.parametrize(("clips", "words"), [(0, ""), (1, ", 1 chunk"), (300, ", 300 chunks")])
def test_chunks_have_no_lines_of_their_own(clips: int, words: str) -> None:
    @dg.op(out=dg.DynamicOut(int))
    def out_plan() -> Iterator[dg.DynamicOutput[int]]:
        for number in range(min(clips, 3)):
            yield dg.DynamicOutput(number, mapping_key=f"from_{number}")

    @dg.op
    def out_chunk(number: int) -> int:
        return number

    @dg.op
    def out_publish(numbers: list[int]) -> int:
        return len(numbers)

    @dg.graph_asset
    def out() -> Any:
        return out_publish(out_plan().map(out_chunk).collect())

    said: list[str] = []
    lines = run_progress.StepLines(said.append)
    made = dg.materialize([out], instance=dg.DagsterInstance.ephemeral()).all_events
    chunks = [event for event in made if event.is_step_success and "chunk[" in str(event.step_key)]
    for event in made:
        if event in chunks[1:]:
            continue
        for _ in range(clips if event in chunks else 1):
            lines(event, "")
    assert [re.sub(r"^\d\d:\d\d:\d\d +|  \d+\.\d s$", "", line) for line in said] == [
        "done     out plan",
        f"done     out publish{words}",
    ]
    assert len(lines.done) == clips + 2


def test_after_a_long_silence_the_steps_under_way_are_named() -> None:
    said: list[str] = []
    told = threading.Event()

    def write(line: str) -> None:
        said.append(line)
        told.set()

    lines = run_progress.StepLines(write, quiet=0.05)
    with lines.watched():
        (first, *_) = (event for event in events() if event.event_type is dg.DagsterEventType.STEP_START)
        assert not told.wait(0.2)  # nothing runs, so there is nothing to say
        lines(first, "")
        assert told.wait(10)
    assert said[0].endswith("  running  good")
