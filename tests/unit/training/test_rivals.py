"""The rivals pass the same engine as NR-DFERNet: trained, killed, continued, evaluated, loaded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nrdfer.config.recipe import Recipe
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import WeightsError
from nrdfer.core.records import ClipRecord
from nrdfer.data.in_memory import MemorySource
from nrdfer.data.settings import Sampling
from nrdfer.evaluation.inference import evaluate
from nrdfer.models.saved_model import load_model, read_sampling
from nrdfer.models.trained_files import BEST, HISTORY, LAST, MODEL
from nrdfer.runtime.engine import Engine
from nrdfer.training.callbacks import TrainingCallbacks
from nrdfer.training.loop import train
from nrdfer.training.progress import Progress
from nrdfer.training.request import TrainingRequest

SMALL: dict[str, dict[str, Any]] = {
    "r3d-18-center-loss": {"width": 4},  # has a state of its own; EC-STFL is the same network and another loss
    "resnet18-gru": {"width": 4, "hidden": 8},
}
FILES = (LAST, BEST, HISTORY, MODEL)


class KilledError(Exception):
    """Stands for a process that died."""


@pytest.fixture(scope="module")
def source() -> MemorySource:
    rng = np.random.default_rng(0)
    clips = []
    for i in range(21):
        frames = rng.integers(0, 90, (10 + i, 32, 32, 3), dtype=np.uint8)
        frames[:, 4 * (i % 7) : 4 * (i % 7) + 4] += 120
        clips.append((ClipRecord("dfew", f"{i:05d}", EMOTIONS[i % 7], "", 10 + i, "0" * 64), frames))
    return MemorySource(clips)


def _train(name: str, source: MemorySource, folder: Path, sampling: Sampling, **callbacks: Any) -> None:
    recipe = Recipe(epochs=2, batch=7, lr=0.01, clip_norm=1.0, sampling=sampling)
    ids = source.clip_ids
    request = TrainingRequest(
        name,
        {"image_size": 32, **SMALL[name]},
        recipe,
        Engine(device="cpu", threads=1),
        folder / "shards",
        tuple(ids[:14]),
        tuple(ids[14:]),
        folder / "work",
        folder / "out",
    )
    train(request, TrainingCallbacks(**callbacks), source=source)


@pytest.mark.parametrize("name", SMALL)
def test_a_killed_training_of_a_rival_ends_as_if_it_had_not_been(
    name: str, source: MemorySource, tmp_path: Path
) -> None:
    def die(progress: Progress) -> None:
        if progress.step == 3:
            raise KilledError

    sampling = Sampling("ti")
    _train(name, source, tmp_path / "straight", sampling)
    with pytest.raises(KilledError):
        _train(name, source, tmp_path / "killed", sampling, on_batch=die)
    _train(name, source, tmp_path / "killed", sampling)
    for file in FILES:
        assert (tmp_path / "straight/out" / file).read_bytes() == (tmp_path / "killed/out" / file).read_bytes(), file

    out = tmp_path / "straight/out"
    network = load_model(out / MODEL, out / LAST)
    assert read_sampling(out / MODEL) == sampling
    table = evaluate(network, source, source.clip_ids, sampling=sampling)
    assert len(table) == 21
    assert not table["vetoed"].any()
    assert (table["predicted"] == table["predicted_unfiltered"]).all()
    assert table["snippet_logits"].map(len).eq(0).all()
    if name == "r3d-18-center-loss":
        assert network.state_dict()["center_loss.centres_KD"].abs().sum() > 0


def test_a_description_without_sampling_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"model\.json does not say how clips were sampled"):
        read_sampling(tmp_path / "model.json")
