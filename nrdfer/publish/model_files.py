"""The files of a version that takes aligned crops, and its input example, which shows no real person."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nrdfer.models.trained_files import MODEL, NETWORK
from nrdfer.registry.logged_models import Content

SIDE = 32  # pixels: MLflow keeps the example as JSON, and the network takes crops of any size
_SEED = 7


def crops_content(checkpoint: Path, weights: str, card: str, *more: Path) -> Content:
    """The files of a version that takes aligned crops.

    Args:
        checkpoint: folder with ``model.json`` and the weights.
        weights: name of the weights' file.
        card: the model card.
        *more: files to store beside the weights.
    """
    from nrdfer.models.saved_model import read_emotions, read_frames
    from nrdfer.serving.emotion_model import signature
    from nrdfer.serving.loader import MODULE, SHA256
    from nrdfer.store import file_sha256

    own, frames = checkpoint / NETWORK, read_frames(checkpoint / MODEL)
    return Content(
        artifacts={
            "settings": checkpoint / MODEL,
            "weights": checkpoint / weights,
            **({"network": own} if own.is_file() else {}),  # for reading: no version is loaded by it
            **{path.stem: path for path in more},
        },
        loader=MODULE,
        signature=signature(read_emotions(checkpoint / MODEL), frames),
        card=card,
        example=lambda: {"clip": example_clip(frames)},
        config={SHA256: file_sha256(checkpoint / weights)},
    )


@functools.cache
def example_clip(frames: int) -> npt.NDArray[np.float32]:
    """(1, `frames`, 3, `SIDE`, `SIDE`), RGB, 0 to 1: a rendered face that becomes happy."""
    import cv2

    from nrdfer.corpora.synthetic.clips import dfew_frames
    from nrdfer.corpora.synthetic.identity import draw_identity
    from nrdfer.corpora.synthetic.timeline import draw_timeline

    own, session = np.random.default_rng(_SEED), np.random.default_rng(_SEED + 1)
    who = draw_identity(session)
    timeline = draw_timeline(own, who, "happiness", frames, n1_rate=0.0, mostly_neutral=False)
    pictures = [
        cv2.resize(frame.rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for frame in dfew_frames(own, session, who, timeline)
    ]
    return (np.stack(pictures).transpose(0, 3, 1, 2)[None] / np.float32(255)).astype(np.float32)
