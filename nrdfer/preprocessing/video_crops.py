"""Aligned crops of the target in one video, for AFEW (`align`) and for any videos (`videos`).

Keep here: the networks that a process loads, attribution of errors to a video or the machine, and distribution of
videos over processes. Processing of a video belongs to `nrdfer.faces.align_clip`; storage of its crops, to the callers.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from nrdfer.config.alignment import AlignSettings
from nrdfer.core.atomic_files import OF_THE_MACHINE
from nrdfer.core.errors import MachineError, NrdferError, UnreadableVideoError
from nrdfer.enhance.enhancer import Enhancer
from nrdfer.faces.align_clip import ClipPlan, plan_clip
from nrdfer.faces.detector import Detector
from nrdfer.faces.load_detector import load_detector
from nrdfer.faces.other_detector import OtherDetector
from nrdfer.runtime.devices import pick_device
from nrdfer.runtime.gpu_errors import raise_if_of_gpu
from nrdfer.runtime.process_pool import completed

Unit = TypeVar("Unit")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Tools:
    """Networks and settings of a process that works on videos."""

    detector: Detector
    settings: AlignSettings
    enhancer: Enhancer | None = None


@dataclass(frozen=True, slots=True)
class CropOptions:
    """Options for cropping videos.

    Attributes:
        detector: RetinaFace weights, to load with the settings' threshold and `max_side`; or a loaded detector; None:
            the detector of another package that the settings name.
        settings: detection and alignment.
        convention: input convention of a weights file that does not state it.
        enhancer: EnlightenGAN weights, to brighten the crops.
        device: "cpu", "cuda" or "auto"; results differ by rounding. On a GPU one worker is enough.
        workers: processes, one core each; the result does not depend on their number. More than 1 need an importable
            ``__main__`` (a script guards its calls with ``if __name__ == "__main__"``).

    Raises:
        ValueError: fewer than one worker.
    """

    detector: Detector | Path | None
    settings: AlignSettings
    convention: str | None = None
    enhancer: Path | None = None
    device: str = "cpu"
    workers: int = 1

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be 1 or more, not {self.workers}")

    def load(self) -> Tools:
        """Load the networks, here and not in the workers, so that an error in the weights is reported once.

        Raises:
            WeightsError: a weights file cannot be used.
            PluginError: the detector of another package cannot be used.
        """
        device, detector = pick_device(self.device), self.detector
        if detector is None:
            s = self.settings
            detector = OtherDetector(s.detector, threshold=s.threshold, max_side=s.max_side, device=str(device))
        elif isinstance(detector, Path):
            detector = load_detector(
                detector,
                convention=self.convention,
                threshold=self.settings.threshold,
                max_side=self.settings.max_side,
                device=str(device),
            )
        return Tools(detector, self.settings, None if self.enhancer is None else Enhancer.load(self.enhancer, device))


def crop_video(
    video: Path, tools: Tools, keep: Callable[[ClipPlan], Outcome], unreadable: Callable[[str], Outcome], *, final: bool
) -> Outcome:
    """Plan how one video is cropped, and keep its crops; one defective file does not stop the corpus.

    Args:
        video: the file.
        tools: of this process.
        keep: crops by the plan, and writes.
        unreadable: called with the reason if the video cannot be used: the decoder's message, or the defect.
        final: whether later runs skip an unreadable video. Then a system error that concerns neither the file nor its
            name is raised, because it may be temporary; otherwise it is a reason like others.

    Raises:
        MachineError: nothing is known about the video.
        NrdferError: of the settings or the machine, not of this video.
        OSError: the crops cannot be written.
    """
    planned = False
    try:
        plan = plan_clip(video, tools.detector, tools.settings)
        planned = True
        return keep(plan)
    except MachineError:
        raise
    except UnreadableVideoError as error:
        return unreadable(str(error))
    except NrdferError:
        raise
    except Exception as error:  # any error of a decoder or a library over a defective file or its name
        raise_if_of_gpu(error, video)
        if isinstance(error, OSError) and (final or planned) and not _is_of(error, video):
            raise
        return unreadable(f"{video}: {type(error).__name__}: {error}")


def _is_of(error: OSError, video: Path) -> bool:
    """Whether a system error is about a video or its name, and not about the folder that crops are written to."""
    if error.errno in OF_THE_MACHINE:
        return False
    return error.filename in (video, str(video)) or error.errno in (errno.ENAMETOOLONG, errno.EILSEQ)


def work_through(
    work: Callable[[Unit, Any], Outcome],
    units: Sequence[Unit],
    shared: Any,
    *,
    workers: int,
    on_death: Callable[[Unit], Outcome],
    suspects: Sequence[Unit] = (),
) -> Iterator[tuple[Unit, Outcome]]:
    """Yield (unit, ``work(unit, shared)``) as they finish: one worker is this process, several are separate processes.

    Args:
        work: on one video; a function of a module.
        units: one a video.
        shared: sent to each process once.
        workers: how many.
        on_death: the outcome of a unit over which two processes died.
        suspects: further units, never processed in this process, which they might kill.
    """
    if workers == 1:
        for unit in units:
            yield unit, work(unit, shared)
        units = ()
    left = [*suspects, *units]
    yield from completed(work, left, workers=workers, what="preprocessing of videos", shared=shared, on_death=on_death)
