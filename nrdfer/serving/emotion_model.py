"""The trained network behind MLflow's pyfunc interface: aligned crops in, emotions out.

Preprocessing of videos does not belong here; this wrapper starts from the crops that the shards hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nrdfer.core.errors import ClipError
from nrdfer.serving.base import ServedModel

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

CLIP = "clip"  # name of the input


def signature(emotions: Sequence[str], frames: int) -> ModelSignature:
    """Clips of aligned crops of any size in; a row of `EmotionModel.predict` a clip out.

    Args:
        emotions: label set.
        frames: T, of a clip.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    figures = [f"{what}_{name}" for what in ("probability", "logit") for name in emotions]
    return ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, frames, 3, -1, -1), name=CLIP)]),
        outputs=Schema([ColSpec(DataType.string, "emotion"), *(ColSpec(DataType.float, name) for name in figures)]),
    )


def clip_array(given: Any) -> npt.NDArray[np.float32]:
    """A caller's clips as float32 with values 0 to 1; a message never shows the values.

    Args:
        given: array or nested lists of numbers from 0 to 1, or an array of uint8; or ``{"clip": ...}`` of it.

    Raises:
        ClipError: it is no such array.
    """
    if isinstance(given, Mapping):
        if set(given) != {CLIP}:
            raise ClipError(
                f"clips are given as an array or as {{{CLIP!r}: array}}, not with {sorted(map(str, given))}"
            )
        given = given[CLIP]
    try:
        clips = np.asarray(given)
    except ValueError as error:  # lists of different lengths
        raise ClipError("clips must be one array (B, T, 3, H, W); these lists have different lengths") from error
    if clips.dtype == np.uint8:
        return clips.astype(np.float32) / np.float32(255)
    if clips.dtype.kind not in "fiub":
        raise ClipError(f"clips must be numbers, floating-point from 0 to 1 or uint8, not {clips.dtype}")
    if clips.size and (clips.min() < 0 or clips.max() > 1):
        raise ClipError("pixel values must be in 0 to 1 (divide 8-bit values by 255, or give them as uint8)")
    return clips.astype(np.float32, copy=False)


class EmotionModel(ServedModel):
    """Predicts the emotion of clips of aligned face crops."""

    def load_context(self, context: Any) -> None:
        """Load the weights (safetensors, never a pickle) that the version was registered with.

        Raises:
            WeightsError: they are not those, or cannot be read.
        """
        from nrdfer.models.saved_model import load_model
        from nrdfer.serving.checked import require_sha256

        weights = Path(context.artifacts["weights"])
        require_sha256(weights, context.model_config["sha256"])
        self.network = load_model(Path(context.artifacts["settings"]), weights)

    @property
    def emotions(self) -> tuple[str, ...]:
        """The network's label set."""
        return self.network.settings.emotions

    @property
    def frames(self) -> int:
        """Frames of a clip (T)."""
        return self.network.settings.frames

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict clips.

        Args:
            context: MLflow's; not used.
            model_input: array (B, T, 3, H, W), RGB, values 0 to 1, or uint8 0 to 255; or ``{"clip": array}``.
            params: not used.

        Returns:
            One row a clip: ``emotion``, ``probability_<emotion>`` after the snippet-based filter, and
            ``logit_<emotion>`` before it.

        Raises:
            ClipError: the array has another shape, or values that are no numbers or outside 0 to 1.
        """
        import torch

        from nrdfer.evaluation.inference import predict_clips

        logits_BK, final_BK = predict_clips(self.network, torch.from_numpy(clip_array(model_input)))
        probabilities_BK = final_BK.numpy()
        emotions = self.emotions
        columns: dict[str, Any] = {"emotion": [emotions[i] for i in probabilities_BK.argmax(-1)]}
        for k, name in enumerate(emotions):
            columns[f"probability_{name}"] = probabilities_BK[:, k]
        for k, name in enumerate(emotions):
            columns[f"logit_{name}"] = logits_BK[:, k].numpy()
        return pd.DataFrame(columns)
