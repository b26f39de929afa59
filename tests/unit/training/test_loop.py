"""Training on a handful of drawn clips: it learns, it repeats itself, and a kill leaves no trace."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import ProfileError, TrainingError, WeightsError
from nrdfer.core.state_files import DAMAGED
from nrdfer.data.in_memory import MemorySource
from nrdfer.data.settings import AugmentSettings, Sampling
from nrdfer.evaluation.inference import evaluate
from nrdfer.evaluation.protocols import fold_metrics
from nrdfer.models.saved_model import EpochReport, best_epoch, load_model
from nrdfer.training.checkpoint import list_checkpoints
from tests.unit.training.tiny import (
    ENGINE,
    FILES,
    RECIPE,
    SETTINGS,
    KilledError,
    after_epoch,
    after_step,
    bytes_of,
    run,
    spots,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source() -> MemorySource:
    return spots()


@pytest.fixture(scope="module")
def straight(source: MemorySource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straight")
    run(source, folder)
    return folder


@pytest.mark.parametrize(
    ("kill", "every"),
    [(after_epoch(1), 0), (after_epoch(3), 0), (after_step(6), 0), (after_step(6), 1), (after_step(7), 3)],
    ids=["after an epoch", "at the very end", "within an epoch", "within, saved", "within, saved before"],
)
def test_a_killed_training_ends_as_if_it_had_not_been(
    source: MemorySource, straight: Path, tmp_path: Path, kill: dict[str, Callable[..., None]], every: int
) -> None:
    engine = dataclasses.replace(ENGINE, checkpoint_every_batches=every)
    with pytest.raises(KilledError):
        run(source, tmp_path, engine=engine, **kill)
    assert not (tmp_path / "out" / "last.safetensors").exists()
    torch.manual_seed(12345)  # a new process has another generator state
    seen: list[int] = []
    run(source, tmp_path, engine=engine, on_batch=lambda now: seen.append(now.step))
    killed, whole = bytes_of(tmp_path), bytes_of(straight)
    for name in ("last.safetensors", "best.safetensors", "history.jsonl"):
        assert killed[name] == whole[name], name
    assert len(seen) < 12  # it continued, it did not start again
    assert (tmp_path / "work" / "history.jsonl").read_bytes() == whole["history.jsonl"]


def test_adamw_continues_as_if_nothing_had_happened(source: MemorySource, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, optimizer="adamw", lr=0.002, weight_decay=0.05)
    run(source, tmp_path / "straight", recipe)
    with pytest.raises(KilledError):
        run(source, tmp_path / "killed", recipe, **after_epoch(2))
    run(source, tmp_path / "killed", recipe)
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "straight")
    sgd = load_file(run(source, tmp_path / "sgd", dataclasses.replace(recipe, optimizer="sgd")).out / FILES[0])
    adamw = load_file(tmp_path / "straight" / "out" / FILES[0])
    assert any(not torch.equal(sgd[name], adamw[name]) for name in sgd)


def test_the_same_training_twice_gives_the_same_files(source: MemorySource, straight: Path, tmp_path: Path) -> None:
    shuffled = source.clip_ids[:14][::-1]  # nor does the order of the list matter
    run(source, tmp_path, train_ids=shuffled)
    assert bytes_of(tmp_path) == bytes_of(straight)


def test_another_seed_gives_other_weights(source: MemorySource, straight: Path, tmp_path: Path) -> None:
    run(source, tmp_path, dataclasses.replace(RECIPE, seed=1))
    assert bytes_of(tmp_path)["last.safetensors"] != bytes_of(straight)["last.safetensors"]


def test_it_learns(source: MemorySource, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=25, lr=0.1, augment=AugmentSettings(flip=0, brightness=0, rotation=0))
    result = run(source, tmp_path, recipe)
    assert result.last.train_loss < 0.5 * result.reports[0].train_loss
    assert result.last.test_war >= 5 / 7  # chance is 1 / 7


def test_history_and_weights_tell_the_same_story(source: MemorySource, straight: Path) -> None:
    rows = [json.loads(line) for line in (straight / "out" / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    chosen = max(rows, key=lambda row: (row["test_war"], -row["epoch"]))
    for name, row in (("last.safetensors", rows[-1]), ("best.safetensors", chosen)):
        model = load_model(straight / "out" / "model.json", straight / "out" / name)
        metrics = fold_metrics(evaluate(model, source, source.clip_ids[14:]), EMOTIONS)
        assert metrics["war"] == row["test_war"]
        assert metrics["uar_unfiltered"] == row["test_uar_unfiltered"]


def test_two_checkpoints_are_kept_and_nothing_half_written(straight: Path) -> None:
    assert [path.name for path in list_checkpoints(straight / "work")] == [
        "checkpoint-000000008.pt",
        "checkpoint-000000012.pt",
    ]
    assert not [path for path in straight.rglob("*") if path.name.endswith(".tmp")]


def test_the_step_schedule_multiplies_every_few_epochs(source: MemorySource, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=5, schedule="step", step_epochs=2, gamma=0.5)
    assert [report.lr for report in run(source, tmp_path, recipe).reports] == [0.05, 0.05, 0.025, 0.025, 0.0125]


def test_the_exponential_schedule_multiplies_once_an_epoch(source: MemorySource, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, schedule="exponential", gamma=0.5)
    assert [report.lr for report in run(source, tmp_path, recipe).reports] == [0.05, 0.025, 0.0125]


def test_progress_counts_every_batch(source: MemorySource, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    run(source, tmp_path, on_batch=lambda now: seen.append((now.step, now.steps)))
    assert seen == [(i, 12) for i in range(1, 13)]


def test_a_loss_that_is_no_number_names_epoch_and_batch(source: MemorySource, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, lr=1e12, schedule="exponential", clip_norm=None)
    with pytest.raises(TrainingError, match=r"became (nan|inf) in epoch 1, batch [234] of 4 .*clip_norm"):
        run(source, tmp_path, recipe)


def test_a_checkpoint_of_another_training_is_refused(source: MemorySource, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        run(source, tmp_path, **after_epoch(1))
    with pytest.raises(TrainingError, match=r"belongs to another training: recipe\.lr is 0\.05 there, 0\.04 here"):
        run(source, tmp_path, dataclasses.replace(RECIPE, lr=0.04))


def _cut(data: bytes) -> bytes:
    return data[:1000]


def _zeros_at_the_end(data: bytes) -> bytes:
    return data[:-4096] + bytes(4096)


def _one_bit(data: bytes) -> bytes:
    middle = len(data) // 2  # within a tensor: torch would read it without a word
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", [_cut, _zeros_at_the_end, _one_bit])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_it_is_continued(
    source: MemorySource,
    straight: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[bytes], bytes],
) -> None:
    with pytest.raises(KilledError):
        run(source, tmp_path, **after_epoch(2))
    newest = list_checkpoints(tmp_path / "work")[-1]
    newest.write_bytes(damage(newest.read_bytes()))
    assert len(run(source, tmp_path).reports) == 3
    assert f"{newest} cannot be read" in caplog.text
    assert len(list((tmp_path / "work" / DAMAGED).iterdir())) == 1
    for name in ("last.safetensors", "best.safetensors", "history.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (straight / "out" / name).read_bytes()


def test_a_training_whose_checkpoints_are_all_damaged_begins_again(
    source: MemorySource, straight: Path, tmp_path: Path
) -> None:
    with pytest.raises(KilledError):
        run(source, tmp_path, **after_epoch(2))
    for path in list_checkpoints(tmp_path / "work"):
        path.write_bytes(b"")
    run(source, tmp_path)
    assert (tmp_path / "out" / "last.safetensors").read_bytes() == (straight / "out" / "last.safetensors").read_bytes()


def test_the_log_is_on_the_disk_before_a_checkpoint_vouches_for_its_steps(
    source: MemorySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(KilledError):
        run(source, tmp_path, **after_epoch(1))
    assert synced.index("train.jsonl") < synced.index("checkpoint-000000004.tmp")


def test_fine_tuning_starts_from_the_given_weights(source: MemorySource, straight: Path, tmp_path: Path) -> None:
    still = dataclasses.replace(RECIPE, epochs=1, lr=1e-12, weight_decay=0.0)
    run(source, tmp_path, still, initial_weights=straight / "out" / "last.safetensors")
    before = load_file(straight / "out" / "last.safetensors")
    after = load_file(tmp_path / "out" / "last.safetensors")
    for name, tensor in before.items():
        if "running_" not in name and "num_batches" not in name:
            torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-6)


def test_weights_of_another_network_are_refused(source: MemorySource, straight: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="do not fit"):
        run(
            source,
            tmp_path,
            model_settings={**SETTINGS, "temporal_depth": 2},
            initial_weights=straight / "out" / "last.safetensors",
        )
    weights = load_file(straight / "out" / "last.safetensors")
    save_file({**weights, "surplus": torch.zeros(1)}, tmp_path / "more.safetensors")
    with pytest.raises(WeightsError, match="surplus"):
        run(source, tmp_path, initial_weights=tmp_path / "more.safetensors")
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(WeightsError, match=r"text\.safetensors cannot be read"):
        run(source, tmp_path, initial_weights=tmp_path / "text.safetensors")


def test_splits_that_leak_or_repeat_are_refused(source: MemorySource, tmp_path: Path) -> None:
    ids = source.clip_ids
    with pytest.raises(TrainingError, match=r"1 clips are to be trained on and tested on, e\.g\. 00013"):
        run(source, tmp_path, test_ids=ids[13:])
    with pytest.raises(TrainingError, match="training list has 2 clips, 1 different"):
        run(source, tmp_path, train_ids=[ids[0], ids[0]])
    with pytest.raises(TrainingError, match="test list has 0 clips"):
        run(source, tmp_path, test_ids=[])


def test_a_recipe_that_samples_another_number_of_frames_is_refused(source: MemorySource, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="4 x 2 = 8 frames, but the network takes 16"):
        run(source, tmp_path, dataclasses.replace(RECIPE, sampling=Sampling(segments=4)))


def test_best_is_the_earliest_of_equals() -> None:
    reports = [EpochReport(i, 0.1, 1.0, 0.5, war, 0.5, 0.5, 0.5) for i, war in enumerate([0.2, 0.6, 0.6, 0.1], 1)]
    assert best_epoch(reports).epoch == 2


def test_asking_for_a_gpu_that_is_not_there(source: MemorySource, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ProfileError, match="finds no GPU"):
        run(source, tmp_path, engine=dataclasses.replace(ENGINE, device="cuda"))
