"""Messages for out-of-memory errors: what was too large, and how to reduce it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nrdfer.config.recipe import Recipe
from nrdfer.core.errors import TrainingError
from nrdfer.runtime.engine import Engine
from nrdfer.runtime.gpu_errors import is_full

#: How PyTorch's allocator of main memory says it; it has no class of its own.
_CPU = ("can't allocate memory", "not enough memory", "Cannot allocate memory")


@contextmanager
def memory_errors(recipe: Recipe, engine: Engine) -> Iterator[None]:
    """Turn an allocation that failed into an error that says what to change.

    Raises:
        TrainingError: there was not enough memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        on_gpu = is_full(error)
        if not (on_gpu or isinstance(error, MemoryError) or any(words in str(error) for words in _CPU)):
            raise
        where = "the GPU" if on_gpu else "this machine"
        remedies = [f"lower batch (now {recipe.batch}) in the recipe"]
        if engine.cache != "none":
            remedies.append(f"set cache: none (now {engine.cache}) in the engine")
        if engine.precision != "bf16":
            remedies.append("set precision: bf16 in the engine, which halves what is kept for the backward pass")
        if on_gpu:
            remedies.append("share each batch among GPUs (devices), or run fewer trainings on one (pool gpu)")
        reason = (str(error).strip() or "out of memory").splitlines()[0][:200]
        raise TrainingError(
            f"{where} has not enough memory for this training ({reason}). {'; or '.join(remedies)}. Checkpoints are "
            "kept: the same command continues where nothing but the engine's cache or workers has changed"
        ) from error
