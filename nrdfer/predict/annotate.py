"""The annotated source video: everyone's box and points in the picture, and `panel` below it.

With several people, a box has the person's colour and the label the emotion's. Encoding is in
`nrdfer.video.timed_writer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.core.records import FrameRecord
from nrdfer.faces.people import turned
from nrdfer.plotting.lettering import extent, write
from nrdfer.plotting.palette import NO_FACE_RGB, RGB, from_hex, ink_on, rgb_of
from nrdfer.predict.panel import Panel, words_of
from nrdfer.predict.result import Person, Prediction
from nrdfer.video.decode import iter_frames
from nrdfer.video.prefetch import prefetched
from nrdfer.video.timed_writer import TimedWriter

LEAST_WIDTH, MOST_WIDTH, MOST_HEIGHT = 480, 1280, 960  # pixels of the shown picture
_MOST_NOTE = 300  # characters; ffmpeg may have much to say
_WHITE = (255, 255, 255)
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
    total = len(prediction.records)
    count = 0
    with TimedWriter(out, canvas.width, canvas.height, times, sound=video) as writer:
        for frame in turned(prefetched(iter_frames(video, notes=[])), prediction.turned):
            if count == total:
                raise UnreadableVideoError(f"{video}: more frames than before; do not write to it")
            writer.write(canvas.draw(frame, count))
            count += 1
        if count != total:
            raise UnreadableVideoError(f"{video}: {count} frames, {total} before; do not write to it")
    return "; ".join(note[:_MOST_NOTE] for note in writer.notes)


class Canvas:
    """Draws frames of one video."""

    def __init__(self, prediction: Prediction, model: Sequence[str] = ()) -> None:
        self.prediction = prediction
        self.times, _ = prediction.looked_at()
        wide, high = prediction.size
        self.scale = min(max(LEAST_WIDTH / wide, 1.0), MOST_WIDTH / wide, MOST_HEIGHT / high)
        # even, as H.264 wants it
        self.width, self.picture_height = (max(2, round(side * self.scale / 2) * 2) for side in (wide, high))
        self.panel = Panel(prediction, self.width, model)
        self.height = self.picture_height + self.panel.height
        self._speaking = prediction.window_of_frames()

    def draw(self, frame: Picture, number: int) -> Picture:
        """One frame of the annotated video by its number, (height, width, 3) uint8 RGB."""
        canvas = np.empty((self.height, self.width, 3), np.uint8)
        method = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
        picture = canvas[: self.picture_height]
        if frame.shape == picture.shape:
            picture[...] = frame
        else:
            cv2.resize(frame, (self.width, self.picture_height), dst=picture, interpolation=method)
        for person in reversed(self.panel.people):  # the main one on top
            self._draw_face(picture, frame.shape, person, number)
        self.panel.draw(canvas[self.picture_height :], number, self.times.starts[number])
        return canvas

    def _draw_face(self, picture: Picture, source: tuple[int, ...], person: Person, number: int) -> None:
        record = person.records[number]
        if record.box is None:
            return
        scale = np.array([picture.shape[1] / source[1], picture.shape[0] / source[0]])
        thick = max(2, self.panel.unit // 7)
        corners = (np.asarray(record.box).reshape(2, 2) * scale).round().astype(int)
        a, b = (int(corners[0, 0]), int(corners[0, 1])), (int(corners[1, 0]), int(corners[1, 1]))
        if not record.has_face:  # the person, perhaps, but not a face that is read
            cv2.rectangle(picture, a, b, NO_FACE_RGB, 1, cv2.LINE_AA)
            return
        row = person.windows[self._speaking[number]]
        several = len(self.panel.people) > 1
        emotion = rgb_of(row.emotion, self.prediction.emotions)
        colour = from_hex(person.colour) if several else emotion
        cv2.rectangle(picture, a, b, _WHITE, thick + 2, cv2.LINE_AA)  # seen on dark and on light
        cv2.rectangle(picture, a, b, colour, thick, cv2.LINE_AA)
        _draw_points(picture, record, scale, thick, colour)
        words = f"{person.number}  {words_of(row)}" if several else words_of(row)
        self._draw_tag(picture, a, b, words, emotion)

    def _draw_tag(self, picture: Picture, a: tuple[int, int], b: tuple[int, int], words: str, colour: RGB) -> None:
        """Draw the window's prediction on a label: above the box if there is room, else below it, else inside."""
        size = self.panel.unit * 1.15
        wide, high, base = extent(words, size)
        tall = high + base + 6
        top = a[1] - tall if a[1] >= tall else b[1] if b[1] + tall <= len(picture) else a[1]
        left = min(max(a[0], 0), max(0, picture.shape[1] - wide - 10))
        cv2.rectangle(picture, (left, top), (left + wide + 10, top + tall), colour, -1)
        write(picture, words, (left + 5, top + high + 3), size, ink_on(colour))


def _draw_points(
    picture: Picture, record: FrameRecord, scale: npt.NDArray[np.float64], thick: int, colour: RGB
) -> None:
    for x, y in np.asarray(record.points if record.points is not None else []).reshape(-1, 2) * scale:
        cv2.circle(picture, (round(x), round(y)), thick + 1, _WHITE, -1, cv2.LINE_AA)
        cv2.circle(picture, (round(x), round(y)), max(1, thick - 1), colour, -1, cv2.LINE_AA)
