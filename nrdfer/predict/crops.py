"""Crops of people in one video as a network was trained on them: aligned, brightened, and JPEG-compressed as in shards.

Only frames that are asked for are cropped; crops are kept as JPEG, some 4 kB each (`kept_crops`), and decoded on
demand. Many videos, and predictions for one, do not belong here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.enhance.enhancer import Enhancer
from nrdfer.faces.align_clip import ClipPlan
from nrdfer.faces.alignment import warp
from nrdfer.faces.appearance import ColourCue, Cue, FaceEmbedding
from nrdfer.faces.detector import Detector
from nrdfer.faces.load_detector import load_detector
from nrdfer.faces.other_detector import OtherDetector
from nrdfer.faces.people import MOST_PEOPLE, PeoplePlan, plan_people, turned
from nrdfer.faces.tiles import TiledDetector
from nrdfer.predict.kept_crops import CropsOfPerson, KeptCrops
from nrdfer.preprocessing.spec import Preprocessing
from nrdfer.runtime.devices import pick_device
from nrdfer.store import file_sha256
from nrdfer.video.decode import iter_frames
from nrdfer.video.jpeg import decode_jpeg, encode_jpeg
from nrdfer.video.prefetch import prefetched
from nrdfer.video.probe import probe

#: More than two hours of 25 frames a second.
MAX_FRAMES = 200_000
Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class CroppedVideo:
    """Crops of one person in one video.

    Attributes:
        plan: the person's faces, frame by frame; its status may be anything but "unreadable".
        jpegs: frame -> crop, of the frames that were asked for.
    """

    plan: ClipPlan
    jpegs: Mapping[int, bytes] = field(repr=False)

    def __len__(self) -> int:
        return len(self.plan.records)

    @property
    def has_face(self) -> list[bool]:
        """Whether each frame shows the person."""
        return [record.has_face for record in self.plan.records]

    def frames(self, indices: Sequence[int]) -> Frames:
        """Some crops, (T, S, S, 3) uint8 RGB.

        Raises:
            KeyError: a frame that was not asked for.
        """
        return np.stack([decode_jpeg(self.jpegs[index]) for index in indices])

    def nearest(self, indices: Sequence[int]) -> list[int]:
        """For each frame the nearest one that has a crop."""
        there = np.array(sorted(self.jpegs))
        return [int(there[np.abs(there - index).argmin()]) for index in indices]


class Cropper:
    """Detector and enhancer, loaded once for many videos.

    Args:
        preprocessing: what to do.
        detector: loaded with the settings' threshold and `max_side`.
        enhancer: None with enhance "none".
        cue: by which people are recognised across shots.
    """

    def __init__(
        self, preprocessing: Preprocessing, detector: Detector, enhancer: Enhancer | None, cue: Cue | None = None
    ) -> None:
        if (enhancer is None) != (preprocessing.enhance == "none"):
            raise ValueError(f"enhance is {preprocessing.enhance!r}, and the enhancer {enhancer}")
        self.preprocessing = preprocessing
        self.detector = detector
        self.enhancer = enhancer
        self.cue = cue or ColourCue()
        self.search: dict[str, Any] = {}  # what is searched otherwise than in training, for records

    @classmethod
    def load(
        cls,
        preprocessing: Preprocessing,
        *,
        device: str = "auto",
        retinaface: Path | None = None,
        enlightengan: Path | None = None,
        tiles: bool = False,
        embedding: Path | None = None,
    ) -> Cropper:
        """Load the networks.

        Args:
            preprocessing: names them.
            device: "cpu", "cuda" or "auto"; results differ by rounding.
            retinaface: the detector's file if its path is known; otherwise it is searched for.
            enlightengan: the enhancer's, likewise.
            tiles: whether whole frames are searched in parts at their full size, too, for small and far faces.
            embedding: a network for face recognition, see `nrdfer.faces.appearance.FaceEmbedding`.

        Raises:
            WeightsError: weights are missing, have other content, or cannot be used.
            PluginError: the detector of another package is not here as it was in training.
        """
        where = pick_device(device)
        detector = _detector(preprocessing, retinaface, str(where))
        enhancer = None
        if preprocessing.enlightengan is not None:
            enhancer = Enhancer.load(enlightengan or preprocessing.enlightengan.locate("enlightengan"), where)
        cue = None if embedding is None else FaceEmbedding(embedding)
        cropper = cls(preprocessing, TiledDetector(detector) if tiles else detector, enhancer, cue)
        if tiles:
            cropper.search["tiles"] = True
        if embedding is not None:
            cropper.search["embedding_sha256"] = file_sha256(embedding)
        return cropper

    def look(self, video: Path, *, join: bool = True, most: int = MOST_PEOPLE) -> PeoplePlan:
        """Everyone in one video.

        Args:
            video: the file.
            join: whether a person is followed across shots; otherwise a person is one track, as in training.
            most: people who are planned, the most important ones.

        Raises:
            UnreadableVideoError: it cannot be decoded, or is too long.
            NoFaceError: there is no target, and the settings' `no_face` is "fail".
        """
        refuse_long(video)
        return plan_people(video, self.detector, self.preprocessing.align, self.cue if join else None, most)

    def cut(
        self, video: Path, plans: Sequence[ClipPlan], wanted: Sequence[Collection[int]], quarters: int = 0
    ) -> list[CroppedVideo]:
        """The crops of some people, in one more reading of the video.

        Args:
            video: the file.
            plans: one a person.
            wanted: for each, the frames that are needed.
            quarters: by which the footage is turned.

        Raises:
            UnreadableVideoError: the video has another number of frames than when it was planned.
            MachineError: the disk has no room for the crops.
        """
        kept = KeptCrops()
        jpegs = [CropsOfPerson(kept) for _ in plans]
        needed = [set(frames) for frames in wanted]
        if any(needed):
            places: list[tuple[int, int]] = []  # of the crops to come: person, frame
            crops = self._brightened(self._crops(video, plans, needed, quarters, places))
            for number, crop in enumerate(crops):
                person, frame = places[number]
                jpegs[person].add(frame, encode_jpeg(crop, self.preprocessing.jpeg_quality))
        return [CroppedVideo(plan, found) for plan, found in zip(plans, jpegs, strict=True)]

    def _crops(
        self,
        video: Path,
        plans: Sequence[ClipPlan],
        needed: Sequence[set[int]],
        quarters: int,
        places: list[tuple[int, int]],
    ) -> Iterator[Frames]:
        size, total = self.preprocessing.align.size, len(plans[0].records)
        everything = set().union(*needed)
        count = 0
        for index, frame in self._frames(video, everything, quarters):
            count = index + 1
            for person, (plan, frames) in enumerate(zip(plans, needed, strict=True)):
                if index in frames:
                    places.append((person, index))
                    yield warp(frame, plan.matrices[index], size)
        if count != total:
            raise UnreadableVideoError(
                f"{video}: {total} frames at the first reading, {count} at the second; do not write to it"
            )

    def _frames(self, video: Path, needed: set[int], quarters: int) -> Iterator[tuple[int, Frames]]:
        """All frames with their numbers; those that are needed upright, and brightened if that is the mode."""
        frames = enumerate(prefetched(iter_frames(video, notes=[])))  # reported at the first reading
        for index, frame in frames:
            if index in needed:
                (frame,) = turned(iter([frame]), quarters)
                if self.enhancer is not None and self.preprocessing.enhance == "frame":
                    (frame,) = self.enhancer.stream_large(iter([frame]))
            yield index, frame

    def _brightened(self, crops: Iterator[Frames]) -> Iterator[Frames]:
        if self.enhancer is None or self.preprocessing.enhance == "frame":
            return crops
        return self.enhancer.stream(crops)


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
