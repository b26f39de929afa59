"""The annotated video has the source's frames, times, sound and upright picture, and the box lies on the face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.plotting.palette import ink_on, rgb_of
from nrdfer.predict.annotate import Canvas, write_annotated
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.result import Prediction
from nrdfer.video.decode import iter_frames
from nrdfer.video.probe import probe
from nrdfer.video.timed_writer import TimedWriter
from nrdfer.video.timestamps import frame_times
from tests.unit.acting import EMPTY, FACE, pictures
from tests.unit.odd_videos import X264, encode, ffmpeg


def colour_at_box(frame: np.ndarray, prediction: Prediction, index: int) -> np.ndarray:
    """The drawn colour in the middle of the box's left edge."""
    box = prediction.records[index].box
    assert box is not None
    scale = frame.shape[1] / prediction.size[0]
    return frame[round((box[1] + box[3]) / 2 * scale), round(box[0] * scale)].astype(float)


def test_frames_times_and_the_box(predicted: Prediction, acted_video: Path, tmp_path: Path) -> None:
    out = tmp_path / "annotated.mp4"
    write_annotated(acted_video, predicted, out)
    assert predicted.times is not None
    assert frame_times(out, FACE + EMPTY).starts == pytest.approx(predicted.times.starts, abs=1e-4)
    info = probe(out)
    assert (info.codec, info.width, info.width % 2, info.height % 2) == ("h264", 480, 0, 0)
    frames = list(iter_frames(out))
    emotion = predicted.windows[predicted.window_of_frames()[30]].emotion
    assert emotion is not None
    assert np.abs(colour_at_box(frames[30], predicted, 30) - rgb_of(emotion, EMOTIONS)).max() < 70
    picture_height = Canvas(predicted).picture_height
    assert picture_height == pytest.approx(480 * 144 / 192, abs=2)
    # without a face nothing is drawn into the picture: the wall is grey all over
    wall = frames[-5][:picture_height].astype(int)
    assert np.abs(wall[..., 0] - wall[..., 2]).max() < 25
    assert np.abs(frames[10][picture_height:].astype(int) - frames[90][picture_height:]).max() > 100  # the play head


def test_a_turned_video_with_sound_and_odd_sides(predictor: Predictor, tmp_path: Path) -> None:
    lying = encode(
        tmp_path / "lying.mp4",
        pictures(12, 0),
        *X264,
        "-vf",
        "scale=189:141:flags=bicubic,transpose=clock,pad=ceil(iw/2)*2:ceil(ih/2)*2",
    )
    turned = tmp_path / "turned.mov"
    ffmpeg(
        "-display_rotation",
        "90",
        "-i",
        lying,
        "-f",
        "lavfi",
        "-i",
        "sine=duration=0.48",
        "-c:v",
        "copy",
        "-c:a",
        "aac",
        turned,
    )
    prediction = predictor.predict(turned)
    assert prediction.size == (190, 142)
    assert prediction.frames_with_face == 12
    write_annotated(turned, prediction, tmp_path / "out.mp4")
    info = probe(tmp_path / "out.mp4")
    assert (info.rotation, info.width) == (0, 480)
    frames = list(iter_frames(tmp_path / "out.mp4"))
    assert len(frames) == 12
    source = next(iter_frames(turned))
    shown = frames[0][: Canvas(prediction).picture_height]
    step = shown.shape[1] / source.shape[1]
    corner = shown[: int(20 * step), : int(20 * step)].mean((0, 1))
    np.testing.assert_allclose(corner, source[:20, :20].mean((0, 1)), atol=8)


def test_ink_is_read_on_every_colour() -> None:

    for name in (None, *EMOTIONS):
        colour = np.array(rgb_of(name, EMOTIONS)) @ [0.299, 0.587, 0.114]
        assert abs(colour - np.array(ink_on(rgb_of(name, EMOTIONS))) @ [0.299, 0.587, 0.114]) > 85


def test_what_the_annotated_video_lacks_is_in_its_note(
    predicted: Prediction, acted_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_sound = tmp_path / "sound.mkv"
    ffmpeg("-i", acted_video, "-f", "lavfi", "-i", "sine=d=4", "-c:v", "copy", with_sound)
    assert write_annotated(with_sound, predicted, tmp_path / "a.mp4") == ""
    monkeypatch.setattr(TimedWriter, "_try", lambda *_: "aac says no")
    assert "has no sound" in write_annotated(with_sound, predicted, tmp_path / "b.mp4")
    assert probe(tmp_path / "a.mp4").sound and not probe(tmp_path / "b.mp4").sound
