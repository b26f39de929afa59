"""The annotated source video: the target's box and points in the picture, and a panel below it.

The panel never covers the picture: left the probabilities of the frame's window, right the timeline with a play head.
Colours are the report's, and each has its label. Encoding is in `nrdfer.video.timed_writer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.core.records import FrameRecord
from nrdfer.plotting.palette import NO_FACE_RGB, RGB, ink_on, rgb_of
from nrdfer.predict.result import Prediction, WindowAnswer
from nrdfer.video.decode import iter_frames
from nrdfer.video.prefetch import prefetched
from nrdfer.video.timed_writer import TimedWriter

LEAST_WIDTH, MOST_WIDTH, MOST_HEIGHT = 480, 1280, 960  # pixels of the shown picture
MOST_BARS = 12  # emotions that are drawn; of a larger label set the most probable ones
_MOST_NOTE = 300  # characters; ffmpeg may have much to say
_FONT = cv2.FONT_HERSHEY_DUPLEX
_BLACK, _GREY, _LINE, _PAPER = (20, 20, 20), (110, 110, 110), (205, 205, 205), (250, 250, 250)
Picture = npt.NDArray[np.uint8]


def write_annotated(video: Path, prediction: Prediction, out: Path, model: Sequence[str] = ()) -> str:
    """Write the annotated video: as many frames as the source, at their times, with its sound.

    Args:
        video: the source.
        prediction: of it.
        out: file to write.
        model: lines below the panel: which network answered, and what everyone must know of it.

    Returns:
        A note on what is not as it should be: no sound, because that could not be taken over; another codec. Else "".

    Raises:
        UnreadableVideoError: the source changed since it was read.
        EncodingError: it could not be encoded.
        ValueError: the video was unreadable.
    """
    times, _ = prediction.looked_at()
    canvas = Canvas(prediction, model)
    records, speaking = prediction.records, prediction.window_of_frames()
    count = 0
    with TimedWriter(out, canvas.width, canvas.height, times, sound=video) as writer:
        for frame in prefetched(iter_frames(video, notes=[])):
            if count == len(records):
                raise UnreadableVideoError(f"{video}: more frames than before; do not write to it")
            writer.write(canvas.draw(frame, records[count], speaking[count], times.starts[count]))
            count += 1
        if count != len(records):
            raise UnreadableVideoError(f"{video}: {count} frames, {len(records)} before; do not write to it")
    return "; ".join(note[:_MOST_NOTE] for note in writer.notes)


@dataclass(frozen=True)
class _Areas:
    """Layout of the panel, in pixels."""

    unit: int  # height of a line of small text
    bars: tuple[int, int]  # left and right
    timeline: tuple[int, int]


class Canvas:
    """Draws frames of one video; the parts that never change are drawn once."""

    def __init__(self, prediction: Prediction, model: Sequence[str] = ()) -> None:
        self.prediction, self.model = prediction, model
        self.times, _ = prediction.looked_at()
        wide, high = prediction.size
        self.scale = min(max(LEAST_WIDTH / wide, 1.0), MOST_WIDTH / wide, MOST_HEIGHT / high)
        # even, as H.264 wants it
        self.width, self.picture_height = (max(2, round(side * self.scale / 2) * 2) for side in (wide, high))
        unit = max(13, round(self.width / 56))
        self._bars = _bars_of(prediction)
        self._above = round(unit * max(9.2, 2.2 + len(self._bars)) / 2) * 2
        self.panel_height = self._above + round(unit * 1.2 * len(model) / 2) * 2
        self.height = self.picture_height + self.panel_height
        pad = unit // 2
        middle = round(self.width * 0.42)
        self._areas = _Areas(unit, (pad, middle), (middle + 2 * pad, self.width - pad))
        self._timeline = self._draw_timeline()
        self._panels: dict[int, Picture] = {}

    def draw(self, frame: Picture, record: FrameRecord, window: int, time: float) -> Picture:
        """One frame of the annotated video, (height, width, 3) uint8 RGB."""
        canvas = np.empty((self.height, self.width, 3), np.uint8)
        method = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
        cv2.resize(frame, (self.width, self.picture_height), dst=canvas[: self.picture_height], interpolation=method)
        row = self.prediction.windows[window]
        self._draw_face(canvas[: self.picture_height], frame.shape, record, row)
        panel = canvas[self.picture_height :]
        panel[...] = self._panel(window)
        self._draw_moment(panel, record, time)
        return canvas

    def _draw_face(self, picture: Picture, source: tuple[int, ...], record: FrameRecord, row: WindowAnswer) -> None:
        if not record.has_face or record.box is None:
            return
        scale = np.array([picture.shape[1] / source[1], picture.shape[0] / source[0]])
        colour, thick = rgb_of(row.emotion, self.prediction.emotions), max(2, self._areas.unit // 7)
        corners = (np.asarray(record.box).reshape(2, 2) * scale).round().astype(int)
        a, b = (int(corners[0, 0]), int(corners[0, 1])), (int(corners[1, 0]), int(corners[1, 1]))
        cv2.rectangle(picture, a, b, (255, 255, 255), thick + 2, cv2.LINE_AA)  # seen on dark and on light
        cv2.rectangle(picture, a, b, colour, thick, cv2.LINE_AA)
        for x, y in np.asarray(record.points if record.points is not None else []).reshape(-1, 2) * scale:
            cv2.circle(picture, (round(x), round(y)), thick + 1, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(picture, (round(x), round(y)), max(1, thick - 1), colour, -1, cv2.LINE_AA)
        self._draw_tag(picture, a, b, _words(row), colour)

    def _draw_tag(self, picture: Picture, a: tuple[int, int], b: tuple[int, int], words: str, colour: RGB) -> None:
        """Draw the window's prediction on a label: above the box if there is room, else below it, else inside."""
        size = self._areas.unit * 1.15
        (wide, high), base = _extent(words, size)
        tall = high + base + 6
        top = a[1] - tall if a[1] >= tall else b[1] if b[1] + tall <= len(picture) else a[1]
        left = min(max(a[0], 0), max(0, picture.shape[1] - wide - 10))
        cv2.rectangle(picture, (left, top), (left + wide + 10, top + tall), colour, -1)
        _write(picture, words, (left + 5, top + high + 3), size, ink_on(colour))

    def _panel(self, window: int) -> Picture:
        """The panel of a window without the play head; the last few are cached."""
        if window not in self._panels:
            if len(self._panels) > 4:
                self._panels.clear()
            panel = self._timeline.copy()
            self._draw_bars(panel, self.prediction.windows[window])
            self._panels[window] = panel
        return self._panels[window]

    def _draw_bars(self, panel: Picture, row: WindowAnswer) -> None:
        unit, (left, right) = self._areas.unit, self._areas.bars
        head = f"{row.window.start:.1f} to {row.window.end:.1f} s: {_words(row)}"
        _write(panel, head, (left, round(unit * 1.05)), unit, _BLACK)
        name_width = max(_extent(name, unit * 0.85)[0][0] for name in self._bars) + unit // 2
        number_width = _extent("100 %", unit * 0.85)[0][0] + unit // 3
        full = max(1, right - left - name_width - number_width)
        for i, name in enumerate(self._bars):
            base = round(unit * (2.3 + i))
            chosen = row.emotion == name
            _write(panel, name, (left, base), unit * 0.85, _BLACK if chosen else _GREY)
            at = left + name_width
            cv2.rectangle(panel, (at, base - round(unit * 0.6)), (at + full, base), _LINE, 1)
            if row.answer is None:
                continue
            p = row.answer.probabilities[self.prediction.emotions.index(name)]
            colour = rgb_of(name, self.prediction.emotions)
            cv2.rectangle(panel, (at, base - round(unit * 0.6)), (at + round(full * p), base), colour, -1)
            _write(panel, f"{100 * p:.0f} %", (at + full + unit // 3, base), unit * 0.85, _BLACK if chosen else _GREY)

    def _draw_timeline(self) -> Picture:
        """Draw the panel's right half: the colour and probability of the window's prediction at each moment."""
        panel = np.full((self.panel_height, self.width, 3), _PAPER, np.uint8)
        panel[:1] = _LINE
        unit, (left, right), (top, bottom) = self._areas.unit, self._areas.timeline, self._span
        speaking = self.prediction.window_of_frames()
        starts = [*self.times.starts, self.times.end]
        for x in range(left, right + 1):
            time = self.times.starts[0] + (x - left) / max(1, right - left) * self.times.duration
            frame = min(max(0, int(np.searchsorted(starts, time, side="right")) - 1), len(speaking) - 1)
            answer = self.prediction.windows[speaking[frame]].answer
            if answer is None:
                panel[top:bottom, x] = NO_FACE_RGB if (x // 3) % 2 else (225, 225, 225)  # hatched: not a colour alone
            else:
                colour = rgb_of(answer.emotion, self.prediction.emotions)
                panel[bottom - max(2, round((bottom - top) * answer.probability)) : bottom, x] = colour
        cv2.rectangle(panel, (left, top), (right, bottom), _LINE, 1)
        self._name_stretches(panel, speaking)
        for number, text in enumerate(self.model):
            place = unit // 2, self._above + round(unit * (0.75 + 1.2 * number))
            _write_within(panel, text, place, self.width - unit, unit * 0.85)
        _write(panel, f"{self.times.starts[0]:.1f} s", (left, bottom + unit), unit * 0.75, _GREY)
        end = f"{self.times.end:.1f} s"
        _write(panel, end, (right - _extent(end, unit * 0.75)[0][0], bottom + unit), unit * 0.75, _GREY)
        return panel

    @property
    def _span(self) -> tuple[int, int]:
        """Top and bottom of the timeline's bars in the panel."""
        unit = self._areas.unit
        return round(unit * 2.7), round(unit * 7.4)

    def _name_stretches(self, panel: Picture, speaking: list[int]) -> None:
        """Write the emotion's name above each stretch that is wide enough for it."""
        unit, (left, right), (top, _) = self._areas.unit, self._areas.timeline, self._span
        names = [self.prediction.windows[window].emotion or "no face" for window in speaking]
        begin = 0
        for i in range(1, len(names) + 1):
            if i < len(names) and names[i] == names[begin]:
                continue
            end = self.times.starts[i] if i < len(names) else self.times.end
            x1, x2 = self._x(self.times.starts[begin], left, right), self._x(end, left, right)
            (wide, _), _ = _extent(names[begin], unit * 0.75)
            if wide <= x2 - x1:
                _write(panel, names[begin], (x1 + (x2 - x1 - wide) // 2, top - unit // 3), unit * 0.75, _BLACK)
            begin = i

    def _x(self, time: float, left: int, right: int) -> int:
        return round(left + (time - self.times.starts[0]) / self.times.duration * (right - left))

    def _draw_moment(self, panel: Picture, record: FrameRecord, time: float) -> None:
        """Draw the play head, the time, and whether this frame shows the target."""
        unit, (left, right), (top, bottom) = self._areas.unit, self._areas.timeline, self._span
        x = self._x(time, left, right)
        cv2.line(panel, (x, top - 2), (x, bottom + 2), (255, 255, 255), 5)
        cv2.line(panel, (x, top - 4), (x, bottom + 4), _BLACK, 2)
        caption = f"{time:.2f} s" if record.has_face else f"{time:.2f} s  the face is not in this frame"
        _write(panel, caption, (left, round(unit * 1.05)), unit, _BLACK)


def _bars_of(prediction: Prediction) -> tuple[str, ...]:
    """The emotions that are drawn, in class order: all, or of many the `MOST_BARS` that are most probable somewhere."""
    emotions = prediction.emotions
    answers = [row.answer.probabilities for row in prediction.windows if row.answer is not None]
    if len(emotions) <= MOST_BARS or not answers:
        return emotions[:MOST_BARS]
    likeliest = np.argsort(-np.max(answers, axis=0), kind="stable")[:MOST_BARS]
    return tuple(emotions[k] for k in sorted(likeliest.tolist()))


def _words(row: WindowAnswer) -> str:
    return "no face" if row.answer is None else f"{row.answer.emotion} {100 * row.answer.probability:.0f} %"


def _extent(text: str, size: float) -> tuple[tuple[int, int], int]:
    (wide, high), base = cv2.getTextSize(text, _FONT, size / 26, 1)
    return (int(wide), int(high)), int(base)


def _write_within(picture: Picture, text: str, at: tuple[int, int], room: int, size: float) -> None:
    """Write a line in smaller letters if they need it to fit, so that no word of it is lost."""
    wide = _extent(text, size)[0][0]
    _write(picture, text, at, size * min(1.0, room / max(1, wide)), _BLACK)


def _write(picture: Picture, text: str, at: tuple[int, int], size: float, colour: RGB) -> None:
    """Text of about `size` pixels a line; `at` is the left end of its base line. OpenCV writes ASCII only."""
    cv2.putText(picture, text, at, _FONT, size / 26, colour, 1, cv2.LINE_AA)
