"""The files of a version that takes aligned crops."""

from __future__ import annotations

from pathlib import Path

from nrdfer.models.trained_files import MODEL
from nrdfer.publish.input_example import example_clip
from nrdfer.registry.logged_models import Content


def crops_content(checkpoint: Path, weights: str, card: str, *more: Path) -> Content:
    """The files of a version that takes aligned crops.

    Args:
        checkpoint: folder with ``model.json`` and the weights.
        weights: name of the weights' file.
        card: the model card.
        *more: files to lie beside the weights.
    """
    from nrdfer.serving.emotion_model import signature
    from nrdfer.serving.loader import MODULE, SHA256
    from nrdfer.store import file_sha256

    return Content(
        artifacts={
            "settings": checkpoint / MODEL,
            "weights": checkpoint / weights,
            **{path.stem: path for path in more},
        },
        loader=MODULE,
        signature=signature(),
        card=card,
        example={"clip": example_clip()},
        config={SHA256: file_sha256(checkpoint / weights)},
    )
