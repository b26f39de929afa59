"""Make the pictures of docs/prediction.md: a rendered person shows three emotions and leaves: part of ``make figures``.

Run `make reproduce` first: AFEW's champion predicts.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.corpora.synthetic.clips import AFEW_FPS, AFEW_HEIGHT, AFEW_WIDTH, afew_frames
from nrdfer.corpora.synthetic.identity import draw_identity
from nrdfer.corpora.synthetic.timeline import draw_timeline
from nrdfer.predict.model import open_model
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.video_output import ANNOTATED, STRIP, Work, predict_one
from nrdfer.video.constant_rate_writer import VideoWriter
from nrdfer.video.decode import iter_frames
from nrdfer.video.discovery import Source

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
ACTED = ("happiness", "anger", "surprise")
FRAMES, GONE = 75, 100  # of each emotion, and without anybody
MODEL = "models:/nr-dfernet-afew@champion"  # it has learned from crops of this alignment
SEED = 11
SHOWN = 40  # which frame of the annotated video is shown


def act() -> Iterator[npt.NDArray[np.uint8]]:
    """One person, one room, three emotions; then the camera loses focus and nobody is seen."""
    who = draw_identity(np.random.default_rng(SEED))
    frame = None
    for number, emotion in enumerate(ACTED):
        rng = np.random.default_rng([SEED, number])
        timeline = draw_timeline(rng, who, emotion, FRAMES, n1_rate=0.0, mostly_neutral=False)
        session = np.random.default_rng([SEED, 99])
        for frame in afew_frames(rng, session, who, timeline, dark=False, second_person=False):
            yield frame.rgb
    if frame is not None:
        blurred = cv2.GaussianBlur(frame.rgb, (0, 0), 90)
        for _ in range(GONE):
            yield np.asarray(blurred, np.uint8)


def main() -> None:
    """Render, predict, and copy the strip and one frame."""
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "acted.mp4"
        with VideoWriter(video, AFEW_WIDTH, AFEW_HEIGHT, AFEW_FPS, "libx264") as writer:
            for frame in act():
                writer.write(frame)
        model = open_model(MODEL)
        row = predict_one(Source(video, "acted"), Work(Predictor.load(model), Path(folder) / "out"))
        if row.status != "ok":
            raise SystemExit(f"the rendered person was not answered: {row.reason}")
        made = Path(folder) / "out" / "acted"
        PICTURES.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made / STRIP, PICTURES / "prediction_strip.png")
        shown = next(islice(iter_frames(made / ANNOTATED), SHOWN, None))
        cv2.imwrite(str(PICTURES / "prediction_frame.png"), shown[..., ::-1])


if __name__ == "__main__":
    main()
