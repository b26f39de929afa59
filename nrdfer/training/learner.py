"""One step: forward, backward, update. Which batch, and when to save, belongs to the loop.

Shapes: B clips (this rank's), T frames, C channels, H x W, K classes.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from nrdfer.config.recipe import Recipe
from nrdfer.core.errors import ProfileError, TrainingError
from nrdfer.models.base import ClipNetwork, trusted_clips
from nrdfer.runtime.determinism import autocast
from nrdfer.runtime.distributed import Ranks
from nrdfer.runtime.engine import Engine
from nrdfer.training.optimizer import make_optimizer, make_schedule
from nrdfer.training.recorded_step import GraphRecorder, RecordedStep, Recorder


class _Objective(nn.Module):
    """Training objective as a forward pass, which is what DDP and the compiler accept."""

    def __init__(self, model: ClipNetwork) -> None:
        super().__init__()
        self.model = model

    def forward(self, x_BTCHW: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.objective(x_BTCHW, y_B)


class Learner:
    """A network with its optimiser and schedule, computed as an engine says.

    Args:
        model: on the CPU, with its initial weights.
        recipe: of the training.
        engine: how.
        device: where.
        ranks: who shares each batch.
        batches: of one epoch.
        recorder: of the engine's graphs; a GPU's own if not given.

    Raises:
        ProfileError: the engine asks for what the device or several of them do not have.
    """

    def __init__(
        self,
        model: ClipNetwork,
        recipe: Recipe,
        engine: Engine,
        device: torch.device,
        ranks: Ranks,
        batches: int,
        recorder: Recorder | None = None,
    ) -> None:
        self.recipe, self.engine, self.device, self.ranks = recipe, engine, device, ranks
        #: Steps until figures are read: on a GPU, reading means waiting for it.
        self.patience = 16 if device.type == "cuda" else 1
        if engine.sync_bn and ranks.world > 1:
            if device.type != "cuda":
                raise ProfileError("engine: sync_bn needs GPUs; on a CPU leave it off")
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        if not engine.channels_last:
            model.lay_out(torch.contiguous_format)
        self.model = model.to(device)
        objective: Any = _Objective(self.model)
        if ranks.world > 1:
            objective = DistributedDataParallel(objective, [device.index] if device.type == "cuda" else None)
        self.objective = torch.compile(objective) if engine.compile else objective
        self.recorded: RecordedStep | None = None
        if engine.graphs:
            recorder = recorder or _graph_recorder(device, ranks)
            self.recorded = RecordedStep(self.model, self._computed, recorder, recipe.batch)
        self.optimizer = make_optimizer(self.model, recipe, fused=engine.fused)
        self.scheduler = make_schedule(self.optimizer, recipe, batches)

    @property
    def lr(self) -> float:
        """The current learning rate."""
        return float(self.optimizer.param_groups[0]["lr"])

    def loss(self, x_BTCHW: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and logits (B, K) of one rank's clips, ready for `update`.

        Raises:
            TrainingError: the compiler that `torch.compile` needs is missing.
        """
        if self.recorded is not None and self.recorded.takes(x_BTCHW):
            return self.recorded(x_BTCHW, y_B)
        return self._computed(x_BTCHW, y_B)

    def _computed(self, x_BTCHW: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor]:
        try:
            with autocast(self.engine, self.device), trusted_clips():
                return cast("tuple[Tensor, Tensor]", self.objective(x_BTCHW, y_B))
        except Exception as error:
            if self.engine.compile and type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
                raise TrainingError(
                    f"torch.compile failed ({str(error).strip().splitlines()[0]}); it needs a C++ compiler, on a GPU "
                    "also Triton. Install one, or set compile: false in the engine"
                ) from error
            raise

    def update(self, loss: Tensor, share: float) -> None:
        """One step of the optimiser.

        Args:
            loss: the mean over this rank's clips.
            share: of the batch that this rank has seen, times the number of ranks; 1 for a single rank.
        """
        if self.recorded is None or not self.recorded.put_gradients():
            self.optimizer.zero_grad()
            # DDP averages over ranks; the weight makes that the mean over the clips of the whole batch
            torch.autograd.backward(loss if share == 1 else loss * share)
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.optimizer.step()

    def state(self) -> dict[str, Any]:
        """The state that changes during training."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continue from the result of `state`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimiser"])
        self.scheduler.load_state_dict(state["scheduler"])


def _graph_recorder(device: torch.device, ranks: Ranks) -> Recorder:
    if device.type != "cuda":
        raise ProfileError("engine: graphs needs a GPU; on a CPU leave it off")
    if ranks.world > 1:
        raise ProfileError("engine: graphs is for a training on one GPU; with several leave it off")
    return GraphRecorder(device)
