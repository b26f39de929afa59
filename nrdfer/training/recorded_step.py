"""Forward and backward pass of whole batches, recorded once and replayed: on a GPU as one CUDA graph.

A step of a small network is hundreds of short kernels, and a GPU waits for the CPU to start each; a graph starts all of
them at once. Its shapes and addresses are fixed, so only batches of the recipe's size are replayed; a smaller last one
is computed as usual. The update stays outside: learning rates change. Shapes: B clips, T frames, C channels, H x W
pixels, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

#: Runs before a recording: kernels are chosen, compiled and given their memory.
WARM_UP = 3
Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # clips, labels -> loss, logits


class Recorder(Protocol):
    """How work is recorded."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """What repeats `work`, which may run a few times meanwhile; its inputs and results keep their places."""
        ...


class GraphRecorder:
    """CUDA graphs of a device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """See `Recorder`."""
        here = torch.cuda.current_stream(self.device)
        side = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        side.wait_stream(here)
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                work()
        here.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # of this thread only: the loader's go on copying meanwhile
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            work()
        replay: Callable[[], None] = graph.replay
        return replay


class RepeatedWork:
    """The stand-in on a CPU, which has no graphs: the same places, and the work itself as its repetition."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """See `Recorder`."""
        for _ in range(WARM_UP):
            work()
        return work


class RecordedStep:
    """Loss, logits and gradients of batches of one shape.

    Args:
        model: the network; recording changes neither its buffers nor the state of random numbers.
        objective: of it.
        recorder: records.
        batch: clips of the batches that are replayed.
    """

    def __init__(self, model: nn.Module, objective: Objective, recorder: Recorder, batch: int) -> None:
        self.model, self.objective, self.recorder, self.batch = model, objective, recorder, batch
        self._weights = list(model.parameters())
        self._replay: Callable[[], None] | None = None
        self._has_gradients = False

    def takes(self, x_BTCHW: Tensor) -> bool:
        """Whether a batch has the recorded number of clips."""
        return x_BTCHW.shape[0] == self.batch

    def __call__(self, x_BTCHW: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and logits (B, K), for the caller to keep; the gradients wait for `put_gradients`."""
        if self._replay is None:
            self._x_BTCHW, self._y_B = x_BTCHW.clone(), y_B.clone()
            with self._unchanged():
                self._replay = self.recorder.record(self._work)
        self._x_BTCHW.copy_(x_BTCHW)
        self._y_B.copy_(y_B)
        self._replay()
        self._has_gradients = True
        return self._loss.detach().clone(), self._logits_BK.detach().clone()

    def put_gradients(self) -> bool:
        """Give the weights the gradients of the last replay; False if they were put already, or there was none."""
        if not self._has_gradients:
            return False
        self._has_gradients = False
        for weight, gradient in zip(self._weights, self._gradients, strict=True):
            weight.grad = gradient
        return True

    def _work(self) -> None:
        for weight in self._weights:
            weight.grad = None  # the backward pass then makes new ones, in the recording's own memory
        self._loss, self._logits_BK = self.objective(self._x_BTCHW, self._y_B)
        torch.autograd.backward(self._loss)
        self._gradients = [weight.grad for weight in self._weights]

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Undo what the runs of a recording change: running statistics and the state of random numbers."""
        buffers = [(buffer, buffer.clone()) for buffer in self.model.buffers()]
        device = next(self.model.parameters()).device
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            yield
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
