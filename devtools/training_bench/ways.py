"""The plain loop and this project's, as two implementations of the same steps."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from devtools.picture_folders import PictureFolders
from nrdfer.config.recipe import Recipe
from nrdfer.core.errors import TrainingError
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.frame_cache import FrameCache
from nrdfer.data.loader import BatchLoader, Positions
from nrdfer.models.base import ClipNetwork, trusted_clips
from nrdfer.models.nrdfernet import NRDFERNet
from nrdfer.runtime.determinism import seed_step, set_up
from nrdfer.runtime.distributed import Ranks
from nrdfer.runtime.engine import Engine
from nrdfer.training.learner import Learner
from nrdfer.training.optimizer import make_optimizer

PROCESSES = 8  # of the plain loop on a GPU


class LabelledPictures(Dataset):
    """The usual data set, with labels; those of `shard_folders`."""

    def __init__(self, pictures: PictureFolders, labels: Sequence[int]) -> None:
        self.pictures, self.labels = pictures, labels

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return self.pictures[number], self.labels[number]


class Way(Protocol):
    """One way to train."""

    ahead: int  # batches that are made before they are asked for

    def set_up(self) -> None:
        """Make PyTorch compute as this way does."""
        ...

    def steps(self, parts: Sequence[Positions], epoch: int) -> Iterator[float]:
        """One step a batch, whenever it is asked for; yields the seconds that it waited for its clips."""
        ...


class PlainLoop:
    """A research repository's loop, of this project's network or of another that takes the same clips."""

    def __init__(self, model: nn.Module, data: LabelledPictures, recipe: Recipe, device: torch.device) -> None:
        if isinstance(model, ClipNetwork):
            model.lay_out(torch.contiguous_format)  # what PyTorch starts with
        self.model, self.data, self.device = model.to(device).train(), data, device
        self.optimizer = make_optimizer(self.model, recipe)
        self.ahead = 2 if device.type == "cuda" else 0

    def set_up(self) -> None:
        """See `Way`."""
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = True  # as such code does
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False

    def batches(self, parts: Sequence[Positions]) -> Iterator[tuple[Tensor, Tensor]]:
        """Clips and labels, in line; on a GPU by processes, as such code does."""
        if self.device.type != "cuda":
            for part in parts:
                clips = [self.data[int(number)] for number in part]
                yield torch.stack([x for x, _ in clips]), torch.tensor([y for _, y in clips])
            return
        numbers = [[int(number) for number in part] for part in parts]
        yield from DataLoader(self.data, batch_sampler=numbers, num_workers=PROCESSES, pin_memory=True)

    def steps(self, parts: Sequence[Positions], epoch: int) -> Iterator[float]:
        """See `Way`."""
        since = time.perf_counter()
        for x_BTCHW, y_B in self.batches(parts):
            x_BTCHW, y_B = (part.to(self.device, non_blocking=True) for part in (x_BTCHW, y_B))
            waited = time.perf_counter() - since
            with trusted_clips():  # such code does not look for values that are NaN
                loss = F.cross_entropy(self.model(x_BTCHW), y_B)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            check(loss.item())
            yield waited
            since = time.perf_counter()


class OurTraining:
    """What ``nrdfer train`` does, batch by batch."""

    def __init__(
        self,
        model: NRDFERNet,
        data: ClipDataset,
        recipe: Recipe,
        engine: Engine,
        device: torch.device,
        cache: FrameCache | None,
    ) -> None:
        self.recipe, self.engine = recipe, engine
        self.learner = Learner(model, recipe, engine, device, Ranks(), max(1, len(data) // recipe.batch))
        self.learner.model.train()
        self.loader = BatchLoader(data, device, workers=engine.workers, cache=cache)
        self.ahead = self.loader.ahead

    def set_up(self) -> None:
        """See `Way`."""
        set_up(self.engine)

    def steps(self, parts: Sequence[Positions], epoch: int) -> Iterator[float]:
        """See `Way`."""
        losses: list[Tensor] = []
        for number, loaded in enumerate(self.loader.batches(parts, epoch)):
            seed_step(self.recipe.seed, epoch, number, 0)
            loss, _ = self.learner.loss(loaded.x_BTCHW, loaded.y_B)
            losses.append(loss.detach())
            if len(losses) == self.learner.patience:
                check(float(torch.stack(losses).sum()))
                losses.clear()
            self.learner.update(loss, 1)
            yield loaded.waited


def check(loss: float) -> None:
    """Refuse a loss that is no number.

    Raises:
        TrainingError: it is none.
    """
    if not np.isfinite(loss):
        raise TrainingError(f"the loss became {loss}: what was timed is no training")
