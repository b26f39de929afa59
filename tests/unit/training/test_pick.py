"""An engine that picks: it measures once, says what it picked, and a training that continues keeps it."""

from __future__ import annotations

import dataclasses
import gc
import json
import weakref
from pathlib import Path
from typing import Any

import pytest

from nrdfer.core.errors import TrainingError
from nrdfer.data.in_memory import MemorySource
from nrdfer.runtime.engine import AUTO_PICKS, Engine
from nrdfer.tracking.training_log import LOG, read_all
from nrdfer.training import pick as pick_module
from nrdfer.training.learner import Learner
from nrdfer.training.pick import FILE, measured, pick_of, with_pick
from nrdfer.training.recorded_step import RecordedStep, RepeatedWork
from tests.unit.training.tiny import ENGINE, RECIPE, KilledError, after_step, bytes_of, request, run, spots

AUTO = dataclasses.replace(ENGINE, auto=True)
SHORT = dataclasses.replace(RECIPE, epochs=1)


@pytest.fixture(scope="module")
def source() -> MemorySource:
    return spots()


def _rates(monkeypatch: pytest.MonkeyPatch, **rates: float) -> list[Engine]:
    """Clips per second instead of measured ones, by precision; returns the engines that were asked for."""
    asked: list[Engine] = []

    def rate(_: Any, engine: Engine) -> float:
        asked.append(engine)
        if rates[engine.precision] < 0:
            raise TrainingError("no room\nfor it")
        return rates[engine.precision] + engine.fused

    monkeypatch.setattr(pick_module, "_rate", rate)
    return asked


def test_the_quickest_is_picked_and_recorded(
    source: MemorySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _rates(monkeypatch, fp32=2.0, bf16=5.0)
    run(source, tmp_path / "auto", SHORT, engine=AUTO)
    assert [engine.precision for engine in asked] == ["fp32", "fp32", "bf16"]
    written = json.loads((tmp_path / "auto" / "work" / FILE).read_text())
    assert written["name"] == "bf16-fused" and written["clips_per_second"] == {
        "reference": 2,
        "fused": 3,
        "bf16-fused": 6,
    }
    started = [line for line in read_all(tmp_path / "auto" / "work" / LOG) if line["kind"] == "start"]
    assert started[0]["engine"]["precision"] == "bf16" and started[0]["engine_pick"]["name"] == "bf16-fused"
    assert pick_of(tmp_path / "auto" / "work") == {"engine_pick": written}
    plain = dataclasses.replace(ENGINE, precision="bf16", fused=True)
    run(source, tmp_path / "plain", SHORT, engine=plain)
    assert bytes_of(tmp_path / "auto") == bytes_of(tmp_path / "plain")


def test_a_training_that_continues_keeps_its_pick(
    source: MemorySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _rates(monkeypatch, fp32=2.0, bf16=5.0)
    every = dataclasses.replace(AUTO, checkpoint_every_batches=1)
    with pytest.raises(KilledError):
        run(source, tmp_path, SHORT, engine=every, **after_step(2))
    asked = _rates(monkeypatch, fp32=9.0, bf16=1.0)
    run(source, tmp_path, SHORT, engine=every)
    assert asked == [] and pick_of(tmp_path / "work")["engine_pick"]["name"] == "bf16-fused"


def test_one_that_has_begun_without_its_pick_is_refused(
    source: MemorySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _rates(monkeypatch, fp32=2.0, bf16=1.0)
    every = dataclasses.replace(AUTO, checkpoint_every_batches=1)
    with pytest.raises(KilledError):
        run(source, tmp_path, SHORT, engine=every, **after_step(2))
    file = tmp_path / "work" / FILE
    for content in ("{", "[]", json.dumps({**json.loads(file.read_text()), "options": {"device": "cpu"}})):
        file.write_text(content)
        with pytest.raises(TrainingError, match=r"engine\.json does not say how this training is computed"):
            run(source, tmp_path, SHORT, engine=every)
    file.unlink()
    with pytest.raises(TrainingError, match=r"engine\.json is missing, though this training has begun"):
        run(source, tmp_path, SHORT, engine=every)


def test_ways_that_fail_are_left_out_with_their_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = dataclasses.replace(request(tmp_path), engine=AUTO)
    _rates(monkeypatch, fp32=2.0, bf16=-1.0)
    found = measured(asked)
    assert (found.name, found.left_out) == ("fused", {"bf16-fused": "no room"})
    _rates(monkeypatch, fp32=-1.0, bf16=-1.0)
    with pytest.raises(TrainingError, match="found no way to compute this training"):
        measured(asked)


def test_a_pick_of_a_gpu_is_not_continued_without_one(source: MemorySource, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    options = {"precision": "bf16", "graphs": True, "fused": True}
    rates = {"bf16-graphs-fused": 900.0}
    pick = {"name": "bf16-graphs-fused", "options": options, "clips_per_second": rates, "left_out": {}}
    (tmp_path / "work" / FILE).write_text(json.dumps(pick))
    with pytest.raises(TrainingError, match=r"engine\.json: this training was begun on a GPU"):
        run(source, tmp_path, SHORT, engine=AUTO)


def test_what_was_measured_is_gone_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learners: list[weakref.ref[Learner]] = []

    class Recorded(Learner):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.recorded = RecordedStep(self.model, self._computed, RepeatedWork(), RECIPE.batch)
            learners.append(weakref.ref(self))

    monkeypatch.setattr(pick_module, "Learner", Recorded)
    monkeypatch.setattr(pick_module, "_ANYWHERE", {"reference": {}})
    gc.disable()
    try:
        measured(dataclasses.replace(request(tmp_path), engine=AUTO))
        assert [learner() for learner in learners] == [None]
    finally:
        gc.enable()


def test_it_measures_and_leaves_other_engines_alone(tmp_path: Path) -> None:
    plain = request(tmp_path)
    assert with_pick(plain) is plain and pick_of(plain.workdir) == {}
    found = measured(dataclasses.replace(plain, engine=AUTO))
    assert (
        set(found.clips_per_second) == {"reference", "fused", "bf16-fused"} and min(found.clips_per_second.values()) > 0
    )
    assert set(found.options) <= set(AUTO_PICKS)
