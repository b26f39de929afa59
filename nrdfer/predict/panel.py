"""The panel below an annotated video: left the probabilities of the moment's window, right a timeline of each person.

It never covers the picture. Colours of emotions are the report's, and each has its label. What is drawn in the picture
belongs to `annotate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.faces.people import PERSON
from nrdfer.plotting.lettering import extent, write, write_within
from nrdfer.plotting.palette import NO_FACE_RGB, from_hex, rgb_of
from nrdfer.predict.result import LABEL_WORDS, Person, Prediction, WindowAnswer

MOST_BARS = 12  # emotions that are drawn; of a larger label set the most probable ones
MOST_LINES = 6  # people whose timelines are drawn
_BLACK, _GREY, _LINE, _PAPER = (20, 20, 20), (110, 110, 110), (205, 205, 205), (250, 250, 250)
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Areas:
    """Layout of the panel, in pixels."""

    unit: int  # height of a line of small text
    bars: tuple[int, int]  # left and right
    timeline: tuple[int, int]


class Panel:
    """Draws the panel of one video; the parts that never change are drawn once.

    Args:
        prediction: of the video.
        width: pixels.
        model: lines at the bottom: which network answered, and what everyone must know of it.
    """

    def __init__(self, prediction: Prediction, width: int, model: Sequence[str] = ()) -> None:
        self.prediction, self.model, self.width = prediction, model, width
        self.times, _ = prediction.looked_at()
        self.people = list(prediction.people or ([prediction.target] if prediction.target else []))
        self.unit = unit = max(13, round(width / 56))
        self._emotions = _bars_of(prediction)
        self._above = round(unit * max(9.2, 2.2 + len(self._emotions)) / 2) * 2
        self.height = self._above + round(unit * 1.2 * len(model) / 2) * 2
        middle = round(width * 0.42)
        self._areas = _Areas(unit, (unit // 2, middle), (middle + unit, width - unit // 2))
        self._speaking = prediction.window_of_frames()
        self._timeline = self._draw_timelines()
        self._panels: dict[int, Picture] = {}

    def draw(self, panel: Picture, frame: int, time: float) -> None:
        """Draw the panel of a frame into (height, width, 3) uint8 RGB."""
        panel[...] = self._of_window(self._speaking[frame])
        self._draw_moment(panel, self.people[0].labels[frame], time)

    def _of_window(self, window: int) -> Picture:
        """The panel of a window without the play head; the last few are cached."""
        if window not in self._panels:
            if len(self._panels) > 4:
                self._panels.clear()
            panel = self._timeline.copy()
            self._draw_bars(panel, self.people[0].windows[window])
            self._panels[window] = panel
        return self._panels[window]

    def _draw_bars(self, panel: Picture, row: WindowAnswer) -> None:
        unit, (left, right) = self._areas.unit, self._areas.bars
        head = f"{row.window.start:.1f} to {row.window.end:.1f} s: {words_of(row)}"
        write_within(panel, head, (left, round(unit * 1.05)), right - left, unit, _BLACK)
        name_width = max(extent(name, unit * 0.85)[0] for name in self._emotions) + unit // 2
        number_width = extent("100 %", unit * 0.85)[0] + unit // 3
        full = max(1, right - left - name_width - number_width)
        for i, name in enumerate(self._emotions):
            base = round(unit * (2.3 + i))
            ink = _BLACK if row.emotion == name else _GREY
            write(panel, name, (left, base), unit * 0.85, ink)
            at = left + name_width
            cv2.rectangle(panel, (at, base - round(unit * 0.6)), (at + full, base), _LINE, 1)
            if row.answer is None:
                continue
            p = row.answer.probabilities[self.prediction.emotions.index(name)]
            colour = rgb_of(name, self.prediction.emotions)
            cv2.rectangle(panel, (at, base - round(unit * 0.6)), (at + round(full * p), base), colour, -1)
            write(panel, f"{100 * p:.0f} %", (at + full + unit // 3, base), unit * 0.85, ink)

    def _draw_timelines(self) -> Picture:
        """Draw the panel's right half: at each moment the colour and probability of each person's prediction."""
        panel = np.full((self.height, self.width, 3), _PAPER, np.uint8)
        panel[:1] = _LINE
        unit, (left, right), (top, bottom) = self._areas.unit, self._areas.timeline, self._span
        drawn = self.people[:MOST_LINES]
        each = (bottom - top) / len(drawn)
        for number, person in enumerate(drawn):
            line = round(top + number * each), round(top + (number + 1) * each) - (2 if len(drawn) > 1 else 0)
            self._draw_line(panel, person, line)
            if len(drawn) > 1:
                cv2.rectangle(panel, (left - unit // 2, line[0]), (left - 3, line[1]), from_hex(person.colour), -1)
        if len(drawn) == 1:
            self._name_stretches(panel, drawn[0])
        elif len(self.people) > len(drawn):
            more = f"and {len(self.people) - len(drawn)} more people"
            write(panel, more, (left, top - unit // 3), unit * 0.75, _GREY)
        for number, text in enumerate(self.model):
            place = unit // 2, self._above + round(unit * (0.75 + 1.2 * number))
            write_within(panel, text, place, self.width - unit, unit * 0.85, _BLACK)
        write(panel, f"{self.times.starts[0]:.1f} s", (left, bottom + unit), unit * 0.75, _GREY)
        end = f"{self.times.end:.1f} s"
        write(panel, end, (right - extent(end, unit * 0.75)[0], bottom + unit), unit * 0.75, _GREY)
        return panel

    def _draw_line(self, panel: Picture, person: Person, line: tuple[int, int]) -> None:
        """Draw one person's timeline between two heights."""
        (left, right), (top, bottom) = self._areas.timeline, line
        starts = [*self.times.starts, self.times.end]
        for x in range(left, right + 1):
            time = self.times.starts[0] + (x - left) / max(1, right - left) * self.times.duration
            frame = min(max(0, int(np.searchsorted(starts, time, side="right")) - 1), len(self._speaking) - 1)
            answer = person.windows[self._speaking[frame]].answer
            if answer is None:
                panel[top:bottom, x] = NO_FACE_RGB if (x // 3) % 2 else (225, 225, 225)  # hatched: not a colour alone
            else:
                colour = rgb_of(answer.emotion, self.prediction.emotions)
                panel[bottom - max(2, round((bottom - top) * answer.probability)) : bottom, x] = colour
        cv2.rectangle(panel, (left, top), (right, bottom), _LINE, 1)

    @property
    def _span(self) -> tuple[int, int]:
        """Top and bottom of the timelines in the panel."""
        return round(self.unit * 2.7), round(self.unit * 7.4)

    def _name_stretches(self, panel: Picture, person: Person) -> None:
        """Write the emotion's name above each stretch that is wide enough for it."""
        unit, (left, right), (top, _) = self._areas.unit, self._areas.timeline, self._span
        rows = [person.windows[window] for window in self._speaking]
        names = [row.emotion or LABEL_WORDS[row.label] for row in rows]
        begin = 0
        for i in range(1, len(names) + 1):
            if i < len(names) and names[i] == names[begin]:
                continue
            end = self.times.starts[i] if i < len(names) else self.times.end
            x1, x2 = self._x(self.times.starts[begin], left, right), self._x(end, left, right)
            wide = extent(names[begin], unit * 0.75)[0]
            if wide <= x2 - x1:
                write(panel, names[begin], (x1 + (x2 - x1 - wide) // 2, top - unit // 3), unit * 0.75, _BLACK)
            begin = i

    def _x(self, time: float, left: int, right: int) -> int:
        return round(left + (time - self.times.starts[0]) / self.times.duration * (right - left))

    def _draw_moment(self, panel: Picture, label: str, time: float) -> None:
        """Draw the play head, the time, and what this frame shows of the main person."""
        unit, (left, right), (top, bottom) = self._areas.unit, self._areas.timeline, self._span
        x = self._x(time, left, right)
        cv2.line(panel, (x, top - 2), (x, bottom + 2), (255, 255, 255), 5)
        cv2.line(panel, (x, top - 4), (x, bottom + 4), _BLACK, 2)
        caption = f"{time:.2f} s" if label == PERSON else f"{time:.2f} s  this frame: {LABEL_WORDS[label]}"
        write(panel, caption, (left, round(unit * 1.05)), unit, _BLACK)


def words_of(row: WindowAnswer) -> str:
    """A window in words."""
    if row.answer is None:
        return LABEL_WORDS[row.label]
    return f"{row.answer.emotion} {100 * row.answer.probability:.0f} %"


def _bars_of(prediction: Prediction) -> tuple[str, ...]:
    """The emotions that are drawn, in class order: all, or of many the `MOST_BARS` that are most probable somewhere."""
    emotions = prediction.emotions
    answers = [row.answer.probabilities for row in prediction.windows if row.answer is not None]
    if len(emotions) <= MOST_BARS or not answers:
        return emotions[:MOST_BARS]
    likeliest = np.argsort(-np.max(answers, axis=0), kind="stable")[:MOST_BARS]
    return tuple(emotions[k] for k in sorted(likeliest.tolist()))
