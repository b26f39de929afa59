"""A GPU that is full or fails says nothing about a video: it is not excluded, and the next call looks at it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nrdfer.config.alignment import AlignSettings
from nrdfer.core.errors import DeviceError
from nrdfer.faces.detector import FaceDetector
from nrdfer.faces.load_detector import load_detector
from nrdfer.preprocessing import align
from nrdfer.preprocessing.videos import CropOptions, Tools, preprocess_one
from nrdfer.runtime.gpu_errors import is_full, raise_if_of_gpu
from nrdfer.video.constant_rate_writer import VideoWriter
from nrdfer.video.discovery import list_sources
from nrdfer.weights.catalogue import sample_weights

FULL = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB"
FAILED = "CUDA error: an illegal memory access was encountered"


class BrokenDetector(FaceDetector):
    """Fails as PyTorch does when the GPU is full or has failed, or as it does when an operation cannot be done."""

    error: Exception

    def detect_batch(self, pictures: Any) -> Any:
        raise self.error


@pytest.fixture
def video(tmp_path: Path) -> Path:
    with VideoWriter(tmp_path / "video.avi", 120, 90, 25, "mjpeg") as writer:
        for _ in range(4):
            writer.write(np.full((90, 120, 3), 128, np.uint8))
    return tmp_path / "video.avi"


def broken(error: Exception) -> FaceDetector:
    detector = load_detector(sample_weights("retinaface"))
    detector.__class__ = BrokenDetector
    detector.error = error  # type: ignore[attr-defined]
    return detector


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError(FULL), "the GPU has not enough free memory while .*video.avi"),
        (RuntimeError("CUDA error: out of memory"), "the GPU has not enough free memory"),
        (RuntimeError(FAILED), "the GPU failed while .*illegal memory access.*not excluded"),
    ],
)
def test_a_clip_is_not_blamed_for_the_gpu(error: Exception, said: str, video: Path, tmp_path: Path) -> None:
    detector, (source,) = broken(error), list_sources([video])
    with pytest.raises(DeviceError, match=said):
        preprocess_one(source, Tools(detector, AlignSettings()), tmp_path / "out")

    row = {"clip_id": "video", "path": str(video), "emotion": "fear", "split": "val", "sha256": "0" * 64}
    options = CropOptions(detector, AlignSettings())
    with pytest.raises(DeviceError, match=said):
        align.align_corpus([row], options, tmp_path / "work", tmp_path)
    assert align.unfinished([row], tmp_path / "work") == [row]


def test_what_an_operation_says_of_a_video_is_the_videos(video: Path, tmp_path: Path) -> None:
    detector, (source,) = broken(RuntimeError("a size is negative")), list_sources([video])
    summary = preprocess_one(source, Tools(detector, AlignSettings()), tmp_path / "out")
    assert (summary.status, "a size is negative" in summary.reason) == ("unreadable", True)


def test_other_errors_pass() -> None:
    raise_if_of_gpu(MemoryError(), "video.avi")
    raise_if_of_gpu(ValueError("CUDA is not mentioned as an error"), "video.avi")
    assert not is_full(RuntimeError(FAILED))
