"""One video's aligned face crops as an array: ``nrdfer.preprocess_video("video.mp4")``. Nothing is written.

Many videos into folders are `videos`'.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nrdfer.config.alignment import RETINAFACE, AlignSettings
from nrdfer.config.profile import WeightsConfig
from nrdfer.config.settings import build_settings
from nrdfer.core.errors import CorpusError, UnreadableVideoError
from nrdfer.core.plain_text import name_text
from nrdfer.core.records import FrameRecord
from nrdfer.faces.align_clip import crops, plan_clip
from nrdfer.preprocessing.video_crops import CropOptions
from nrdfer.video.timestamps import FrameTimes, frame_times
from nrdfer.weights.locate import network_weights

#: Half an hour of 25 frames a second; 1.7 GB of crops of 112 pixels.
MAX_FRAMES = 45_000


@dataclass(frozen=True, eq=False)
class VideoCrops:
    """The target's crops in one video.

    Attributes:
        status: "ok"; "no_face": there is no target, and no crops; "centred": there is none, and the crops are the
            pictures' middle squares, as the setting ``no_face="centre"`` asks.
        reason: why the status is not "ok".
        note: facts that do not change the status.
        crops: (T, S, S, 3) uint8, RGB, one a frame; (0, S, S, 3) with "no_face".
        records: T, box and points of each frame in the source's pixels.
        times: of the T frames, seconds.
    """

    status: str
    reason: str
    note: str
    crops: npt.NDArray[np.uint8] = field(repr=False)
    records: tuple[FrameRecord, ...] = field(repr=False)
    times: FrameTimes = field(repr=False)

    @property
    def has_face(self) -> npt.NDArray[np.bool_]:
        """(T,): whether each frame shows the target."""
        return np.array([record.has_face for record in self.records], bool)


def preprocess_video(
    video: str | os.PathLike[str],
    *,
    retinaface: str | os.PathLike[str] = "sample",
    enlightengan: str | os.PathLike[str] | None = None,
    device: str = "auto",
    **align: Any,
) -> VideoCrops:
    """Detect, follow and align the target's face in one video.

    Args:
        video: the file.
        retinaface: detector: a weights file, ``retinaface-resnet50``, ``retinaface-mobilenet0.25``, or ``sample``,
            which has seen rendered faces only.
        enlightengan: weights that brighten the crops; likewise.
        device: "cpu", "cuda" or "auto".
        **align: fields of `nrdfer.config.alignment.AlignSettings`, such as ``target="largest"`` or ``max_side``.

    Raises:
        CorpusError: there is no such file.
        UnreadableVideoError: it cannot be decoded, or has more than `MAX_FRAMES` frames.
        WeightsError: weights cannot be found or used.
        ProfileError: a setting that is not known, or a value that is refused.
        NoFaceError: there is no target, and the setting ``no_face`` is "fail".
    """
    path = Path(video)
    if not path.is_file():
        raise CorpusError(f"{name_text(path)}: there is no such file; give one video")
    settings = build_settings(AlignSettings, align, "preprocess_video")
    brighter = "" if enlightengan is None else os.fspath(enlightengan)
    config = WeightsConfig(os.fspath(retinaface), None, brighter, folder=os.environ.get("NRDFER_WEIGHTS"))
    detector = network_weights("retinaface", config) if settings.detector == RETINAFACE else None
    enhancer = network_weights("enlightengan", config) if brighter else None
    tools = CropOptions(detector, settings, enhancer=enhancer, device=device).load()
    plan = plan_clip(path, tools.detector, settings)
    if plan.status == "unreadable":
        raise UnreadableVideoError(plan.reason)
    if len(plan.records) > MAX_FRAMES:
        raise UnreadableVideoError(
            f"{name_text(path)} has {len(plan.records):,} frames, more than the {MAX_FRAMES:,} that fit into memory; "
            "split it, or write the crops to a folder: nrdfer preprocess"
        )
    frames = np.empty((len(plan.records) if plan.usable else 0, settings.size, settings.size, 3), np.uint8)
    if plan.usable:
        made = crops(plan, settings.size)
        for number, crop in enumerate(made if tools.enhancer is None else tools.enhancer.stream(made)):
            frames[number] = crop
    times = frame_times(path, len(plan.records))
    return VideoCrops(plan.status, plan.reason, plan.note, frames, plan.records, times)
