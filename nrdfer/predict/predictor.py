"""Prediction of videos, one at a time: crops, the whole video's prediction, and a timeline of windows.

Everything is loaded once. Writing results belongs to `batch`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from nrdfer.core.errors import ClipError, NrdferError, UnreadableVideoError
from nrdfer.predict.crops import CroppedVideo, Cropper
from nrdfer.predict.inference import Answer, answers
from nrdfer.predict.model import TrainedModel
from nrdfer.predict.result import NO_FACE, OK, UNREADABLE, Prediction, WindowAnswer
from nrdfer.predict.windows import WindowSettings, plan_windows
from nrdfer.runtime.devices import pick_device
from nrdfer.runtime.gpu_errors import raise_if_of_gpu
from nrdfer.video.probe import probe
from nrdfer.video.timestamps import FrameTimes, frame_times


class Predictor:
    """A network, its preprocessing and the settings of the timeline.

    Args:
        model: the network; is moved to `device`.
        cropper: made of the preprocessing that is to be used.
        windows: settings of the timeline.
        device: "cpu", "cuda" or "auto".
    """

    def __init__(
        self,
        model: TrainedModel,
        cropper: Cropper,
        windows: WindowSettings | None = None,
        *,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.cropper = cropper
        self.windows = windows or WindowSettings()
        self.network = model.network.to(pick_device(device)).eval()

    @property
    def emotions(self) -> tuple[str, ...]:
        """The network's label set."""
        return self.network.settings.emotions

    @classmethod
    def load(cls, model: TrainedModel, windows: WindowSettings | None = None, *, device: str = "auto") -> Predictor:
        """With the model's own preprocessing.

        Raises:
            WeightsError: detector or enhancer cannot be found or used.
        """
        return cls(model, Cropper.load(model.preprocessing, device=device), windows, device=device)

    def predict(self, video: Path) -> Prediction:
        """Predict one video; a failure of the video ends in the status, never in an exception.

        Raises:
            NoFaceError: there is no target, and the preprocessing's `no_face` is "fail".
            DeviceError: the GPU is full or failed.
        """
        try:
            return self._predict(video)
        except (UnreadableVideoError, ClipError) as error:
            return Prediction(UNREADABLE, str(error))
        except NrdferError:
            raise
        except Exception as error:
            raise_if_of_gpu(error, video)
            # one odd file must not cost a folder's night; its reason names the defect
            return Prediction(UNREADABLE, f"{video}: {type(error).__name__}: {error}")

    def _predict(self, video: Path) -> Prediction:
        began = time.perf_counter()
        cropped = self.cropper.crop(video)
        found = time.perf_counter()
        info = probe(video)
        times = frame_times(video, len(cropped))
        rows = self._timeline(cropped, times)
        plan = cropped.plan
        whole, lack = self._whole(cropped, rows)
        reason = "" if whole else f"{plan.reason or lack}; {self._looked_for((info.width, info.height))}"
        return Prediction(
            OK if whole else NO_FACE,
            reason,
            note="; ".join(filter(None, (plan.note, times.note, self._coverage(len(cropped), rows) if whole else ""))),
            answer=whole,
            windows=tuple(rows),
            times=times,
            cropped=cropped,
            size=(info.width, info.height),
            emotions=self.emotions,
            seconds={"crops": found - began, "answers": time.perf_counter() - found},
        )

    def _whole(self, cropped: CroppedVideo, rows: Sequence[WindowAnswer]) -> tuple[Answer | None, str]:
        """The whole video's prediction, or a message on what is insufficient for one."""
        has_face = cropped.has_face
        answered = sum(row.answer is not None for row in rows)
        presence = f"the face is in {sum(has_face)} of {len(has_face)} frames"
        if not answered:
            return None, (
                f"{presence}, too few for an answer: no window of {self.windows.window:g} s shows it in "
                f"{self.windows.least_face:.0%} of its frames (see least_face)"
            )
        (whole,) = answers(self.network, self.model.sampling, cropped, [range(len(cropped))])
        if not any(has_face[frame] for frame in whole.frames):  # of a long video it sees very little
            return None, (
                f"{presence}, and in none of the {len(whole.frames)} that a prediction of the whole video uses; the "
                f"timeline answers {answered} of {len(rows)} windows"
            )
        return whole, ""

    def _looked_for(self, size: tuple[int, int]) -> str:
        """Note on how faces were searched for, and what may find more of them."""
        detector, longest = self.cropper.detector, max(size)
        criteria = f"looked for with score above {detector.threshold:g} in frames of at most {detector.max_side} pixels"
        if longest <= detector.max_side:
            return criteria
        return f"{criteria}, and the video has {longest}: a larger max_side finds smaller faces (--max-side {longest})"

    def _timeline(self, cropped: CroppedVideo, times: FrameTimes) -> list[WindowAnswer]:
        """The windows, with a prediction for those that show the target often enough."""
        planned, has_face = plan_windows(times.starts, times.end, self.windows), cropped.has_face
        counts = [sum(has_face[window.first : window.last + 1]) for window in planned]
        enough = [
            count > 0 and count >= self.windows.least_face * len(window.frames)
            for window, count in zip(planned, counts, strict=True)
        ]
        clips = [window.frames for window, usable in zip(planned, enough, strict=True) if usable]
        found = answers(self.network, self.model.sampling, cropped, clips)
        return [
            WindowAnswer(window, count, next(found) if usable else None)
            for window, count, usable in zip(planned, counts, enough, strict=True)
        ]

    def _coverage(self, frames: int, rows: Sequence[WindowAnswer]) -> str:
        """Note that a reader of a long video's prediction must know."""
        if len(rows) == 1 or self.model.sampling.strategy != "ds":
            return ""
        return (
            f"the whole video's answer sees {self.model.sampling.frames} of its {frames} frames; the timeline sees as "
            f"many of each {self.windows.window:g} s"
        )
