"""Every check of a GPU runs on a CPU as a stand-in, can fail, and says what the stand-in does not show."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from devtools.gpu_check import checks, clips, part, training_checks
from devtools.gpu_check.checks import CHECKS, Check
from devtools.gpu_check.clips import BrokenError, hold
from nrdfer.data import augment_gpu
from nrdfer.runtime import engine

CPU = torch.device("cpu")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_it_holds_on_a_cpu(check: Check) -> None:
    figures = check.run(CPU)
    assert figures and check.unseen
    json.dumps(figures)


def test_they_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment_gpu, "MEAN_LEVELS", {"smooth": 0.0})
    monkeypatch.setattr(checks, "MEAN_LEVELS", {"smooth": 0.0})
    with pytest.raises(BrokenError, match="smooth"):
        checks.augmentation(CPU)
    monkeypatch.setattr(training_checks, "DEVIATIONS", {**engine.DEVIATIONS, "bf16": 0.0})
    with pytest.raises(BrokenError):
        training_checks.bfloat16(CPU)
    monkeypatch.setattr(training_checks, "TEST_DEVIATIONS", dict.fromkeys(engine.TEST_DEVIATIONS, 0.0))
    with pytest.raises(BrokenError, match="test_precision bf16"):
        training_checks.larger_tests(CPU)
    monkeypatch.setattr(checks, "pinned", lambda host, device: host + 1)
    with pytest.raises(BrokenError):
        checks.pinned_copies(CPU)


def test_one_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: torch.device) -> dict[str, Any]:
        hold(False, "not here")
        return {}

    def breaks(_: torch.device) -> dict[str, Any]:
        raise OSError("nothing there")

    def works(_: torch.device) -> dict[str, Any]:
        return {"seen": 1}

    monkeypatch.setattr(checks, "CHECKS", tuple(Check(run, "its speed") for run in (fails, breaks, works)))
    found, not_run = part.checks(CPU, 60)
    assert [row["passed"] for row in found.values()] == [False, False, True]
    assert found["fails"]["why"] == "BrokenError: not here" and found["breaks"]["why"] == "OSError: nothing there"
    assert [line["what"] for line in not_run] == ["fails: its speed", "breaks: its speed", "works: its speed"]
    assert all(line["why"] == part.NO_GPU for line in not_run)
    found, not_run = part.checks(CPU, -1)
    assert found == {} and not_run[-1] == {"what": "works", "why": "its part's -1 s were over"}


def test_batches_come_from_every_clip() -> None:
    parts = clips.batches_of(5)
    assert [len(positions) for positions in parts] == [7] * 5
    assert set(parts[0]) | set(parts[1]) == set(range(clips.CLIPS))
