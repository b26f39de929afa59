"""Prediction from Python: ``nrdfer.predict("video.mp4")``, and the predictor that many videos share.

The command line does the same for folders, and writes files; see `batch`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import name_text
from nrdfer.predict.asked import ALL, WINDOWS, checked_answer, checked_people
from nrdfer.predict.choose import choose_detector, choose_model
from nrdfer.predict.crops import Cropper
from nrdfer.predict.model import open_model
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.result import Prediction
from nrdfer.predict.windows import WindowSettings
from nrdfer.weights.sample_network import ADDRESS


def predict(video: str | os.PathLike[str], *, predictor: Predictor | None = None, **options: Any) -> Prediction:
    """Predict the emotions of one video: of the whole, and along time.

    Args:
        video: the file.
        predictor: of `load_predictor`, for many videos; without it one is loaded for this video alone.
        **options: of `load_predictor`; not together with a predictor.

    Returns:
        The result. A video that cannot be decoded or shows nobody has a status and a reason, and no answer.

    Raises:
        CorpusError: there is no such file.
        TypeError: options beside a predictor.
        WeightsError, ProfileError: see `load_predictor`.
        DeviceError: the GPU is full or failed.
    """
    path = Path(video)
    if not path.exists():
        raise CorpusError(f"{name_text(path)}: there is no such file")
    if path.is_dir():
        raise CorpusError(
            f"{name_text(path)} is a folder; give one video, or use nrdfer.predict.batch.predict_videos (on the "
            "command line, nrdfer predict FOLDER)"
        )
    if predictor is not None and options:
        raise TypeError(f"{', '.join(sorted(options))} belong to load_predictor, and a predictor was given")
    return (predictor or load_predictor(**options)).predict(path)


def load_predictor(
    model: str | os.PathLike[str] | None = None,
    *,
    retinaface: str | os.PathLike[str] | None = None,
    windows: WindowSettings | None = None,
    people: str | int = ALL,
    answer: str = WINDOWS,
    tiles: bool = False,
    device: str = "auto",
    **changes: Any,
) -> Predictor:
    """Load a network with its detector, once for many videos.

    Args:
        model: ``models:/NAME@ALIAS``, ``hf://OWNER/NAME``, a folder of a training, or ``sample``. Without it the
            registry's champion, else ``sample``, which is for trying the tool: see ``predictor.model.warning``.
        retinaface: instead of the training's detector, a file or a name such as ``retinaface-mobilenet0.25``. For
            ``sample`` a detector for real faces that is on this machine is used unasked.
        windows: of the timeline.
        people: "all", "main", or how many at most.
        answer: what the emotion of a whole video is: "windows" or "clip"; see `Predictor`.
        tiles: search whole frames in parts at full size, too: small and far faces.
        device: "cpu", "cuda" or "auto".
        **changes: other preprocessing than in the training: ``enhance``, or fields of
            `nrdfer.config.alignment.AlignSettings` such as ``max_side``.

    Raises:
        WeightsError: there is no such model or detector, or it cannot be used.
        ProfileError: a setting that is not known, or a value that is refused.
        ValueError: `people` or `answer` is not one of these.
    """
    options: dict[str, Any] = {"people": people, "answer": answer, "tiles": tiles, "device": device, **changes}
    return load_with_notes(model, retinaface=retinaface, windows=windows, **options)[0]


def load_with_notes(
    model: str | os.PathLike[str] | None = None,
    *,
    retinaface: str | os.PathLike[str] | None = None,
    windows: WindowSettings | None = None,
    people: str | int = ALL,
    answer: str = WINDOWS,
    tiles: bool = False,
    device: str = "auto",
    **changes: Any,
) -> tuple[Predictor, tuple[str, ...]]:
    """As `load_predictor`; also what differs from the training, as text."""
    checked_people(people), checked_answer(answer)  # before anything slow
    chosen = choose_model(None if model is None else os.fspath(model))
    trained = open_model(chosen.address)
    detector = None if retinaface is None else os.fspath(retinaface)
    if detector is None and trained.origin.address == ADDRESS and "detector" not in changes:
        detector = choose_detector(trained)
    used, overrides = trained.preprocessing.overridden(retinaface=detector, **changes)
    cropper = Cropper.load(used, device=device, tiles=tiles)
    return Predictor(trained, cropper, windows, device=device, people=people, answer=answer), overrides
