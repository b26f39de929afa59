"""Errors of the GPU, distinguished from errors of the input: a full GPU is not the video's fault.

Keep here: the messages of PyTorch, the driver, cuBLAS and cuDNN. Keep out: the advice of a training
(``training/out_of_memory.py``).
"""

from __future__ import annotations

import torch

from nrdfer.core.errors import DeviceError

#: What a full GPU makes the driver, cuBLAS and cuDNN say; only PyTorch's own allocator has a class for it.
_FULL = (
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
)
_FAILED = ("CUDA error", "CUBLAS_STATUS_", "CUDNN_STATUS_", "NVRTC")


def is_full(error: BaseException) -> bool:
    """Whether an error means that the GPU's memory is full."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _FULL)


def raise_if_of_gpu(error: BaseException, video: object) -> None:
    """Raise if the GPU failed.

    Args:
        error: what ended the work on a video.
        video: its name.

    Raises:
        DeviceError: the GPU is full or failed, so nothing is known about this video; the next would fail alike.
    """
    full = is_full(error)
    if full or any(words in str(error) for words in _FAILED):
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        what = "has not enough free memory" if full else "failed"
        raise DeviceError(
            f"the GPU {what} while {video} was processed ({reason}). This is not the video's fault, so it is not "
            "excluded. nvidia-smi shows who uses the GPU; free it, or choose device: cpu. Run the same command again "
            "to continue"
        ) from error
