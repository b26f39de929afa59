"""Several processes that train and evaluate together: real ones, talking over gloo on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from devtools.shard_files import write_shards
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import ProfileError, TrainingError, TrainingStopped
from nrdfer.evaluation.protocols import fold_metrics
from nrdfer.runtime.distributed import STORE, Ranks, in_order
from nrdfer.shards.reader import ShardReader
from nrdfer.tracking.training_log import LOG, last_of_each, read_all
from nrdfer.training.checkpoint import list_checkpoints
from nrdfer.training.launch import train_on_ranks
from tests.unit.training.tiny import ENGINE, RECIPE, bytes_of, request, run, spots

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    source = spots()
    clips = ((source.record(clip_id), source.frames(clip_id)) for clip_id in source.clip_ids)
    write_shards(clips, folder, prefix="spots", clips_per_shard=8)
    return folder


def _running() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it ends meanwhile
            if "nrdfer.training.rank" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def _losses(folder: Path) -> list[float]:
    return [line["loss"] for line in last_of_each(read_all(folder / "work" / LOG), "batch").values()]


def test_evaluation_is_the_same_for_any_world_and_workers(shards: Path, tmp_path: Path) -> None:
    for world in (1, 2, 3):
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.unit.training.evaluate_rank", str(shards), str(tmp_path)],
                cwd=PROJECT,
                env={
                    **os.environ,
                    "RANK": str(rank),
                    "WORLD_SIZE": str(world),
                    "GLOO_SOCKET_IFNAME": "lo",
                    STORE: str(tmp_path / f"store-{world}"),
                },
            )
            for rank in range(world)
        ]
        assert [process.wait(timeout=120) for process in processes] == [0] * world
    tables = {path.stem: pd.read_parquet(path) for path in sorted(tmp_path.glob("*.parquet"))}
    assert len(tables) == (1 + 2 + 3) * 2
    reference = tables["1-0-0"]
    assert list(reference["clip_id"]) == sorted(ShardReader(shards).clip_ids)
    assert reference["logit_0"].nunique() > 10
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, reference, check_exact=True, obj=name)
        assert fold_metrics(table, EMOTIONS) == fold_metrics(reference, EMOTIONS)


def test_any_number_of_ranks_learns_the_same(shards: Path, tmp_path: Path) -> None:
    """Without batch norm, whose statistics are each rank's own, the mean gradient is the batch's, whoever computes it.

    The last batch has two clips, so of three ranks one has none.
    """
    settings = {"image_size": 32, "width": 4, "hidden": 16, "dropout": 0.0}
    recipe = dataclasses.replace(RECIPE, epochs=2, lr=0.01)
    for world in (1, 2, 3):
        folder = tmp_path / str(world)
        train_on_ranks(request(folder, recipe, shards=shards, model="c3d", model_settings=settings), world)
        assert len(_losses(folder)) == 8
        np.testing.assert_allclose(_losses(folder), _losses(tmp_path / "1"), rtol=2e-5)
    assert max(_losses(tmp_path / "1")) - min(_losses(tmp_path / "1")) > 0.01


def test_two_ranks_that_were_killed_continue_as_if_nothing_had_happened(shards: Path, tmp_path: Path) -> None:
    train_on_ranks(request(tmp_path / "straight", shards=shards), 2)

    def kill_one() -> None:
        if len(list_checkpoints(tmp_path / "killed" / "work")) and not killed:
            killed.append(_running()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    killed: list[int] = []
    engine = dataclasses.replace(ENGINE, checkpoint_every_batches=1)
    killed_one = request(tmp_path / "killed", shards=shards, engine=engine)
    with pytest.raises(TrainingError, match=r"rank [01] ended with -9 without a message.*the same command continues"):
        train_on_ranks(killed_one, 2, watch=kill_one)
    assert _running() == []
    train_on_ranks(killed_one, 2)
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "straight")
    assert _losses(tmp_path / "killed") == _losses(tmp_path / "straight")


def test_sigterm_saves_on_all_ranks_and_the_same_call_continues(shards: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=40)

    def ask() -> None:
        deadline = time.monotonic() + 60
        while not list_checkpoints(tmp_path / "work") and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(TrainingStopped, match=r"stopped by .* in epoch \d+, after batch \d of 4; everything is saved"):
        train_on_ranks(request(tmp_path, recipe, shards=shards), 2)
    asking.join()
    lines = read_all(tmp_path / "work" / LOG)
    assert lines[-1]["kind"] == "stop"
    done = lines[-1]["step"]
    assert list_checkpoints(tmp_path / "work")[-1].name == f"checkpoint-{done:09d}.pt"


def test_sigterm_before_they_have_begun_is_no_failure(shards: Path, tmp_path: Path) -> None:
    asked: list[int] = []

    def ask() -> None:  # at the first look: they are importing PyTorch
        if not asked:
            asked.append(os.getpid())
            os.kill(asked[0], signal.SIGTERM)

    with pytest.raises(TrainingStopped, match="stopped before it began"):
        train_on_ranks(request(tmp_path, shards=shards), 2, watch=ask)
    assert _running() == []


def test_the_words_of_a_rank_that_failed_reach_the_caller(shards: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, lr=1e12, schedule="exponential", clip_norm=None)
    with pytest.raises(TrainingError, match=r"the loss became (nan|inf) in epoch 1.*rank [01] of 2"):
        train_on_ranks(request(tmp_path, recipe, shards=shards), 2)


def test_one_rank_is_the_plain_training(shards: Path, tmp_path: Path) -> None:
    train_on_ranks(request(tmp_path / "launched", shards=shards), 1)
    run(ShardReader(shards), tmp_path / "here")
    assert bytes_of(tmp_path / "launched") == bytes_of(tmp_path / "here")


def test_more_gpus_than_there_are(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="4 devices are requested, and 1 GPUs are there"):
        train_on_ranks(request(tmp_path, shards=shards), 4, visible=["0"])


def test_shares_and_order() -> None:
    whole = np.arange(10)
    shares = [Ranks(rank, 3).share(whole) for rank in range(3)]
    assert sorted(np.concatenate(shares)) == list(range(10))
    assert in_order([list(share) for share in shares]) == list(range(10))
    assert [list(share) for share in Ranks(2, 3).shares([np.array([7, 8])])] == [[7]]
