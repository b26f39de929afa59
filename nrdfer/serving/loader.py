"""Trained networks opened from weights and JSON alone: only this package's code runs, never a version's.

MLflow's description of a version names this module (`_load_pyfunc`), so that `mlflow models serve` runs no file of the
version either. A version's files are verified in `nrdfer.registry.file_lists`; here the wrappers check the sha256 of
what they load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nrdfer.core.errors import WeightsError
from nrdfer.models.trained_files import MODEL
from nrdfer.serving.base import ServedModel
from nrdfer.serving.emotion_model import EmotionModel
from nrdfer.serving.video_bundle import CONTENTS, bundle_in
from nrdfer.serving.video_model import VideoModel

MODULE = __name__
SHA256 = "sha256"  # of the weights, in the plain values that a version of crops is given
FOLDERS = "folders"  # whose videos a version of videos opens, likewise
ANSWER = "answer"  # what the emotion of a whole video is, likewise


@dataclass(frozen=True)
class _Context:
    """Context of a wrapper, as MLflow would pass it."""

    artifacts: Mapping[str, str]
    model_config: Mapping[str, Any] = field(default_factory=dict)


class Answering:
    """A wrapper behind the interface that MLflow calls.

    Args:
        wrapper: loaded.
    """

    def __init__(self, wrapper: ServedModel) -> None:
        self.wrapper = wrapper

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """As the wrapper's."""
        return self.wrapper.predict(None, model_input, params)


def open_artifacts(folder: Path, config: Mapping[str, Any]) -> ServedModel:
    """The wrapper of the files in a folder, which state whether they take crops or videos.

    Args:
        folder: with ``model.json`` and ``last.safetensors``, or with a bundle.
        config: `SHA256` of the weights (crops); `FOLDERS` whose videos may be opened, and `ANSWER`
            (videos).

    Raises:
        WeightsError: a file is missing, or is not the one that was registered.
    """
    wrapper: ServedModel
    if (folder / CONTENTS).is_file():
        wrapper, artifacts = VideoModel(), bundle_in(folder)
    else:
        wrapper = EmotionModel()
        weights = sorted(folder.glob("*.safetensors"))
        if len(weights) != 1:
            raise WeightsError(f"{folder} holds {len(weights)} files of weights (.safetensors) instead of one")
        if not isinstance(config.get(SHA256), str):
            raise WeightsError(f"no record states which sha256 the weights in {folder} must have")
        artifacts = {"settings": str(folder / MODEL), "weights": str(weights[0])}
    wrapper.load_context(_Context(artifacts, config))
    return wrapper


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> Answering:
    """Entry point that MLflow calls to load a version.

    Args:
        path: of the folder with its files.
        model_config: the plain values it was registered with.
    """
    return Answering(open_artifacts(Path(path), model_config or {}))
