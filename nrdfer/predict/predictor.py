"""Prediction of videos, one at a time: everyone in it, a timeline of windows for each, and what follows for the whole.

Everything is loaded once. What a person's frames are worth belongs to `timeline`; writing results, to `batch`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from nrdfer.core.errors import ClipError, NrdferError, UnreadableVideoError
from nrdfer.faces.people import MOST_PEOPLE, PeoplePlan, PersonPlan
from nrdfer.predict.asked import ALL, CLIP, WINDOWS, checked_answer, checked_people
from nrdfer.predict.crops import CroppedVideo, Cropper
from nrdfer.predict.inference import Answer, answers, frames_needed
from nrdfer.predict.model import TrainedModel
from nrdfer.predict.result import UNREADABLE, Person, Prediction
from nrdfer.predict.timeline import ClipsOfPerson, assemble, plan_clips
from nrdfer.predict.windows import Window, WindowSettings, nearest_windows, plan_windows
from nrdfer.runtime.devices import pick_device
from nrdfer.runtime.gpu_errors import raise_if_of_gpu
from nrdfer.video.timestamps import FrameTimes, frame_times

PICTURES = 12  # crops of each person at regular times, for pictures


class Predictor:
    """A network, its preprocessing and the settings of the timeline.

    Args:
        model: the network; is moved to `device`.
        cropper: made of the preprocessing that is to be used.
        windows: settings of the timeline.
        device: "cpu", "cuda" or "auto".
        people: who is predicted: `ALL`, `asked.MAIN`, or the N most important ones.
        answer: what the emotion of a whole video is: `WINDOWS`, over the windows that show the person, or `CLIP`, one
            clip of all frames as in an evaluation.

    Raises:
        ValueError: `people` or `answer` is not one of these.
    """

    def __init__(
        self,
        model: TrainedModel,
        cropper: Cropper,
        windows: WindowSettings | None = None,
        *,
        device: str = "auto",
        people: str | int = ALL,
        answer: str = WINDOWS,
    ) -> None:
        self.model = model
        self.cropper = cropper
        self.windows = windows or WindowSettings()
        self.people = checked_people(people)
        self.answer = checked_answer(answer)
        self.network = model.network.to(pick_device(device)).eval()

    @property
    def emotions(self) -> tuple[str, ...]:
        """The network's label set."""
        return self.network.settings.emotions

    @classmethod
    def load(
        cls,
        model: TrainedModel,
        windows: WindowSettings | None = None,
        *,
        device: str = "auto",
        people: str | int = ALL,
        answer: str = WINDOWS,
    ) -> Predictor:
        """With the model's own preprocessing.

        Raises:
            WeightsError: detector or enhancer cannot be found or used.
        """
        cropper = Cropper.load(model.preprocessing, device=device)
        return cls(model, cropper, windows, device=device, people=people, answer=answer)

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
        clock = [time.perf_counter()]
        found = self.cropper.look(video, join=self.answer == WINDOWS, most=self._most)
        clock.append(time.perf_counter())
        chosen = found.people or [found.target]
        times = frame_times(video, len(chosen[0].labels), found.heard)
        windows = plan_windows(times.starts, times.end, self.windows)
        clips = [plan_clips(person, windows, self.windows, self.answer) for person in chosen]
        wanted = [self._wanted(person, each) for person, each in zip(chosen, clips, strict=True)]
        cropped = self.cropper.cut(video, [person.plan for person in chosen], wanted, found.quarters)
        clock.append(time.perf_counter())
        seconds = _spoken(windows, times)
        people = tuple(
            assemble(number, person, crops, asked, self._answers(crops, asked), windows, seconds, self.windows)
            for number, (person, crops, asked) in enumerate(zip(chosen, cropped, clips, strict=True), start=1)
        )
        clock.append(time.perf_counter())
        target = people[0]
        reason = f"{target.reason}; {self._looked_for(found.size)}" if target.reason else ""
        return Prediction(
            target.status,
            reason,
            note="; ".join(filter(None, (found.note, times.note, *self._left_out(found), *self._remarks(target)))),
            target=target,
            people=people if found.people else (),
            people_found=found.found,
            times=times,
            size=found.size,
            turned=found.quarters,
            emotions=self.emotions,
            seconds={
                name: after - before
                for name, before, after in zip(("faces", "crops", "answers"), clock, clock[1:], strict=False)
            },
        )

    @property
    def _most(self) -> int:
        """How many people are asked about, the target first."""
        if isinstance(self.people, int):
            return self.people
        return MOST_PEOPLE if self.people == ALL else 1

    def _wanted(self, person: PersonPlan, clips: ClipsOfPerson) -> set[int]:
        """Frames of a person that are cropped: all that the network sees, and some for pictures."""
        sampling = self.model.sampling
        wanted = {frame for clip in clips.clips for frame in frames_needed(clip, sampling)}
        frames = len(person.labels)
        return wanted | {int((i + 0.5) / PICTURES * frames) for i in range(PICTURES)}

    def _answers(self, cropped: CroppedVideo, clips: ClipsOfPerson) -> Iterator[Answer]:
        return answers(self.network, self.model.sampling, cropped, clips.clips, temperature=self.model.temperature)

    def _looked_for(self, size: tuple[int, int]) -> str:
        """Note on how faces were searched for, and what may find more of them."""
        detector, longest = self.cropper.detector, max(size)
        criteria = f"looked for with score above {detector.threshold:g} in frames of at most {detector.max_side} pixels"
        if longest <= detector.max_side:
            return criteria
        return f"{criteria}, and the video has {longest}: a larger max_side finds smaller faces (--max-side {longest})"

    def _left_out(self, found: PeoplePlan) -> list[str]:
        """A note on people who were not asked for by number, and are too many for all to be predicted."""
        if self.people != ALL or found.found <= len(found.people):
            return []
        return [
            f"{found.found} people were found, of whom the {len(found.people)} seen longest and largest are predicted "
            "(--people N predicts more)"
        ]

    def _remarks(self, person: Person) -> list[str]:
        """Notes that a reader of the whole video's emotion must know."""
        answer = person.answer
        if answer is None:
            return []
        remarks = []
        if answer.kind == CLIP and len(person.windows) > 1 and self.model.sampling.strategy == "ds":
            remarks.append(
                f"the whole video's answer sees {self.model.sampling.frames} of its {len(person.labels)} frames; the "
                f"timeline sees as many of each {self.windows.window:g} s"
            )
        if answer.divided and answer.kind == WINDOWS:
            remarks.append(f"the timeline is divided: {answer.divided} has the higher mean probability")
        return remarks


def _spoken(windows: Sequence[Window], times: FrameTimes) -> list[float]:
    """Seconds for which each window is the nearest."""
    seconds = [0.0] * len(windows)
    spans = list(zip(times.starts, [*times.starts[1:], times.end], strict=True))
    nearest = nearest_windows(windows, [(start + end) / 2 for start, end in spans])
    for window, (start, end) in zip(nearest, spans, strict=True):
        seconds[window] += end - start
    return seconds
