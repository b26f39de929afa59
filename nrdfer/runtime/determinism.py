"""PyTorch set up as an engine says: determinism, precision, threads, and the random numbers of one step.

What the settings are belongs to ``engine``; this module is the only one that changes PyTorch's global state.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch

from nrdfer.core import environment
from nrdfer.runtime.devices import pick_device
from nrdfer.runtime.engine import Engine

_STEP = 2  # stream of random numbers; 0 and 1 are the clips' (nrdfer.data.dataset)


def set_up(engine: Engine) -> torch.device:
    """Configure PyTorch for the engine, and return the device.

    Raises:
        ProfileError: a GPU is requested and there is none.
    """
    # cuBLAS is only deterministic with a fixed workspace, set before it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(engine.deterministic)
    torch.backends.cudnn.benchmark = not engine.deterministic
    # cuDNN's default is TF32, which keeps 10 bits of a product's 23: only on request
    faster = engine.precision != "fp32"
    torch.backends.cudnn.allow_tf32 = faster
    torch.backends.cuda.matmul.allow_tf32 = faster
    if engine.threads:
        torch.set_num_threads(engine.threads)
    device = pick_device(engine.device)
    if device.type == "cuda":
        last = torch.cuda.device_count() - 1
        number = environment.whole("LOCAL_RANK", torch.cuda.current_device(), least=0, most=last)
        device = torch.device("cuda", number)
        torch.cuda.set_device(device)
    return device


@contextmanager
def evaluation_precision(engine: Engine, device: torch.device) -> Iterator[None]:
    """Context of the tests after each epoch: true float32 unless the engine asks for less."""
    if engine.test_precision == "bf16":
        with torch.autocast(device.type, torch.bfloat16):
            yield
        return
    with full_precision(tf32=engine.test_precision == "tf32"):
        yield


@contextmanager
def full_precision(*, tf32: bool = False) -> Iterator[None]:
    """Context in which products are true float32, for any engine, so that evaluation is equal for all; or TF32."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def autocast(engine: Engine, device: torch.device) -> AbstractContextManager[object]:
    """Context of the forward pass: bfloat16 autocast if the engine is set to it."""
    if engine.precision != "bf16":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def seed_step(seed: int, epoch: int, batch: int, rank: int) -> None:
    """Seed one step's random numbers (dropout) from the arguments, so that a restart need not restore them."""
    words = np.random.SeedSequence([seed, _STEP, epoch, batch, rank]).generate_state(2, np.uint32)
    torch.manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)


def described(engine: Engine, device: torch.device, world: int) -> dict[str, Any]:
    """Description of a training's hardware and software, for its log."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return {"device": name, "world": world, "torch": torch.__version__, "engine": dataclasses.asdict(engine)}


def gpus_of(device: torch.device, world: int) -> Sequence[int]:
    """The GPUs of a training on this machine, as this process counts them; `world` are all its processes."""
    if device.type != "cuda":
        return ()
    here = environment.whole("LOCAL_WORLD_SIZE", world, least=1, most=world)  # set by torchrun, for several machines
    return range(here) if here > 1 else (device.index,)
