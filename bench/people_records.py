"""Who is seen where, as one version of the package predicts it; run by `bench.people` under this version and others.

Only what all of these versions have is imported. Usage: people_records.py JOB.json, with the keys model, out, videos,
and changes of the model's preprocessing (retinaface, max_side).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def person(records: Any, windows: Any, emotion: str | None, seen: Any) -> dict[str, Any]:
    """One person's faces and timeline as plain values."""
    return {
        "boxes": [list(record.box) if record.has_face and record.box is not None else None for record in records],
        "windows": [
            {"frames": list(row.answer.frames), "emotion": row.answer.emotion}
            for row in windows
            if row.answer is not None
        ],
        "emotion": emotion,
        "frames_seen": list(seen),
    }


def main() -> None:
    """Predict the videos of a job and write what was found."""
    from nrdfer.predict.crops import Cropper
    from nrdfer.predict.model import open_model
    from nrdfer.predict.predictor import Predictor

    job = json.loads(Path(sys.argv[1]).read_text())
    model = open_model(job["model"])
    preprocessing = model.preprocessing
    if job["changes"]:
        preprocessing, _ = preprocessing.overridden(**job["changes"])
    predictor = Predictor(model, Cropper.load(preprocessing, device="cpu"), device="cpu")
    found = {}
    for video in job["videos"]:
        prediction = predictor.predict(Path(video))
        answer = prediction.answer
        target = person(
            prediction.records,
            prediction.windows,
            None if answer is None else answer.emotion,
            () if answer is None else answer.frames,
        )
        others = [
            person(
                each.records,
                each.windows,
                each.answer and each.answer.emotion,
                each.answer.frames if each.answer else (),
            )
            for each in getattr(prediction, "people", ())
        ]
        found[video] = {"status": prediction.status, "target": target, "people": others or [target]}
    Path(job["out"]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
