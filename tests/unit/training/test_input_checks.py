"""Lists of which no training can be made, and checkpoints of another: each told in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from nrdfer.core.errors import TrainingError
from nrdfer.data.in_memory import MemorySource
from nrdfer.store.receipts import vouch
from nrdfer.training.input_checks import cache_kind
from tests.unit.training.tiny import RECIPE, SETTINGS, KilledError, after_epoch, run, spots


@pytest.fixture(scope="module")
def source() -> MemorySource:
    return spots()


def test_a_batch_larger_than_the_list(source: MemorySource, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, batch=15)
    with pytest.raises(TrainingError, match=r"a batch of 15 clips is larger than the training list of 14; lower batch"):
        run(source, tmp_path, recipe)
    assert run(source, tmp_path / "fits", dataclasses.replace(RECIPE, batch=14, epochs=1)).reports


@pytest.mark.parametrize("name", ["training", "test"])
def test_an_emotion_without_a_clip(source: MemorySource, tmp_path: Path, name: str) -> None:
    ids = source.clip_ids  # emotions follow each other; 5 and 6 are disgust and fear
    lists = {"train_ids": ids[:14], "test_ids": ids[14:]}
    key = "train_ids" if name == "training" else "test_ids"
    lists[key] = [clip_id for clip_id in lists[key] if int(clip_id) % 7 < 5]
    with pytest.raises(
        TrainingError, match=rf"the {name} list of \d+ clips has none of disgust, fear: .*set_aside\.csv"
    ):
        run(source, tmp_path, **lists)
    allowed = dataclasses.replace(RECIPE, absent_emotions=True, epochs=1)
    assert run(source, tmp_path / "allowed", allowed, **lists).reports


def test_short_clips_are_not_learnt_from_but_tested(source: MemorySource, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="none of 14 clips has 19 frames; lower min_frames"):
        run(source, tmp_path, dataclasses.replace(RECIPE, min_frames=19))
    frames = {clip_id: source.frames(clip_id) for clip_id in source.clip_ids}
    short = MemorySource(
        (
            dataclasses.replace(source.record(i), n_frames=9 if i < "00007" else 18),
            frames[i][: 9 if i < "00007" else 18],
        )
        for i in source.clip_ids
    )
    recipe = dataclasses.replace(RECIPE, min_frames=16, epochs=1)
    report = run(short, tmp_path / "short", recipe, test_ids=source.clip_ids[14:]).last
    # the seven others alone give the same training
    alone = run(source, tmp_path / "alone", dataclasses.replace(RECIPE, epochs=1), train_ids=source.clip_ids[7:14]).last
    assert report.train_war == alone.train_war
    assert report.test_war == alone.test_war


def test_a_checkpoint_of_another_network_names_the_settings(source: MemorySource, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        run(source, tmp_path, **after_epoch(1))
    with pytest.raises(TrainingError) as told:
        run(source, tmp_path, model_settings={**SETTINGS, "temporal_depth": 2, "widths": (4, 6, 12)})
    assert "network.temporal_depth is 1 there, 2 here" in str(told.value)
    assert "network.widths is [4, 6, 8] there, [4, 6, 12] here" in str(told.value)
    assert f"empty {tmp_path / 'work'}" in str(told.value)
    with pytest.raises(TrainingError, match=r"clips to learn from is .* there, .* here"):
        run(source, tmp_path, train_ids=source.clip_ids[1:14], recipe=RECIPE)


def test_a_checkpoint_that_is_none(source: MemorySource, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for number in (4, 8):  # the second as one that was cut off before its receipt was written
        (work / f"checkpoint-{number:09d}.pt").write_text("weights")
    vouch(work, "checkpoint-000000004", ["checkpoint-000000004.pt"])
    assert run(source, tmp_path).reports
    assert "checkpoint-000000004.pt cannot be read" in caplog.text


def test_a_stream_has_no_cache_of_decoded_frames() -> None:
    assert [cache_kind(kind, streamed=True) for kind in ("auto", "none")] == ["none", "none"]
    assert cache_kind("gpu", streamed=False) == "gpu"
    with pytest.raises(TrainingError, match=r"cache: ram .*reader: indexed"):
        cache_kind("ram", streamed=True)
