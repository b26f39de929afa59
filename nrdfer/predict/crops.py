"""Crops of one video as a network was trained on them: aligned, brightened, and JPEG-compressed as in the shards.

Crops are kept as JPEG, some 4 kB each, so an hour of video takes about 400 MB; pictures are decoded on demand. Many
videos, and predictions for one, do not belong here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.enhance.enhancer import Enhancer
from nrdfer.faces.align_clip import ClipPlan, crops, plan_clip
from nrdfer.faces.detector import Detector
from nrdfer.faces.load_detector import load_detector
from nrdfer.faces.other_detector import OtherDetector
from nrdfer.preprocessing.spec import Preprocessing
from nrdfer.runtime.devices import pick_device
from nrdfer.video.jpeg import decode_jpeg, encode_jpeg
from nrdfer.video.probe import probe

#: More than two hours of 25 frames a second, and about 800 MB of crops.
MAX_FRAMES = 200_000
Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class CroppedVideo:
    """The crops of one video, one for each frame.

    Attributes:
        plan: the target's faces, frame by frame; its status may be anything but "unreadable".
        jpegs: T pictures.
    """

    plan: ClipPlan
    jpegs: tuple[bytes, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.jpegs)

    @property
    def has_face(self) -> list[bool]:
        """Whether each frame shows the target."""
        return [record.has_face for record in self.plan.records]

    def frames(self, indices: Sequence[int]) -> Frames:
        """Some crops, (T, S, S, 3) uint8 RGB."""
        return np.stack([decode_jpeg(self.jpegs[index]) for index in indices])


class Cropper:
    """Detector and enhancer, loaded once for many videos.

    Args:
        preprocessing: what to do.
        detector: loaded with the settings' threshold and `max_side`.
        enhancer: None with enhance "none".
    """

    def __init__(self, preprocessing: Preprocessing, detector: Detector, enhancer: Enhancer | None) -> None:
        if (enhancer is None) != (preprocessing.enhance == "none"):
            raise ValueError(f"enhance is {preprocessing.enhance!r}, and the enhancer {enhancer}")
        self.preprocessing = preprocessing
        self.detector = detector
        self.enhancer = enhancer

    @classmethod
    def load(
        cls,
        preprocessing: Preprocessing,
        *,
        device: str = "auto",
        retinaface: Path | None = None,
        enlightengan: Path | None = None,
    ) -> Cropper:
        """Load the networks.

        Args:
            preprocessing: names them.
            device: "cpu", "cuda" or "auto"; results differ by rounding.
            retinaface: the detector's file if its path is known; otherwise it is searched for.
            enlightengan: the enhancer's, likewise.

        Raises:
            WeightsError: weights are missing, have other content, or cannot be used.
            PluginError: the detector of another package is not here as it was in training.
        """
        where = pick_device(device)
        detector = _detector(preprocessing, retinaface, str(where))
        enhancer = None
        if preprocessing.enlightengan is not None:
            enhancer = Enhancer.load(enlightengan or preprocessing.enlightengan.locate("enlightengan"), where)
        return cls(preprocessing, detector, enhancer)

    def crop(self, video: Path) -> CroppedVideo:
        """The crops of one video; without a target, those given by its plan's status.

        Raises:
            UnreadableVideoError: it cannot be decoded, or is too long.
            NoFaceError: there is no target, and the settings' `no_face` is "fail".
        """
        refuse_long(video)
        plan = plan_clip(video, self.detector, self.preprocessing.align)
        if plan.status == "unreadable":
            raise UnreadableVideoError(plan.reason)
        quality = self.preprocessing.jpeg_quality
        return CroppedVideo(plan, tuple(encode_jpeg(crop, quality) for crop in self._crops(plan)))

    def _crops(self, plan: ClipPlan) -> Iterator[Frames]:
        size = self.preprocessing.align.size
        if self.enhancer is None:
            return crops(plan, size)
        if self.preprocessing.enhance == "frame":
            return crops(plan, size, self.enhancer.stream_large)
        return self.enhancer.stream(crops(plan, size))


def _detector(preprocessing: Preprocessing, retinaface: Path | None, device: str) -> Detector:
    settings, weights = preprocessing.align, preprocessing.retinaface
    seen: dict[str, Any] = {"threshold": settings.threshold, "max_side": settings.max_side, "device": device}
    if weights is None:
        return OtherDetector(settings.detector, preprocessing.detector, **seen)
    convention = None if retinaface else weights.convention
    return load_detector(retinaface or weights.locate("retinaface"), convention=convention, **seen)


def refuse_long(video: Path) -> None:
    """Refuse a video of more than `MAX_FRAMES`, by its header.

    Raises:
        UnreadableVideoError: it is too long.
    """
    try:
        info = probe(video)
    except UnreadableVideoError:
        return  # decoding it reports the defect more precisely
    expected = info.fps * (info.duration_s or 0)
    if expected > MAX_FRAMES:
        raise UnreadableVideoError(
            f"{video}: about {expected:,.0f} frames, more than the {MAX_FRAMES:,} that are processed at a time; "
            "split the video"
        )
