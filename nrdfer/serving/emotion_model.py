"""The trained network behind MLflow's pyfunc interface: aligned crops in, emotions out.

Preprocessing of videos does not belong here; this wrapper starts from the crops that the shards hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nrdfer.serving.base import ServedModel

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


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
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, frames, 3, -1, -1), name="clip")]),
        outputs=Schema([ColSpec(DataType.string, "emotion"), *(ColSpec(DataType.float, name) for name in figures)]),
    )


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
            model_input: float array (B, T, 3, H, W), RGB, values 0 to 1, or ``{"clip": array}``.
            params: not used.

        Returns:
            One row a clip: ``emotion``, ``probability_<emotion>`` after the snippet-based filter, and
            ``logit_<emotion>`` before it.

        Raises:
            ValueError: the array has another shape, or values that are no numbers or outside 0 to 1.
        """
        import torch

        from nrdfer.evaluation.inference import predict_clips

        clips = model_input["clip"] if isinstance(model_input, dict) else model_input
        x_BTCHW = np.asarray(clips, dtype=np.float32)
        if x_BTCHW.size and (x_BTCHW.min() < 0 or x_BTCHW.max() > 1):
            raise ValueError("pixel values must be in 0 to 1 (divide 8-bit values by 255)")
        logits_BK, final_BK = predict_clips(self.network, torch.from_numpy(x_BTCHW))
        probabilities_BK = final_BK.numpy()
        emotions = self.emotions
        columns: dict[str, Any] = {"emotion": [emotions[i] for i in probabilities_BK.argmax(-1)]}
        for k, name in enumerate(emotions):
            columns[f"probability_{name}"] = probabilities_BK[:, k]
        for k, name in enumerate(emotions):
            columns[f"logit_{name}"] = logits_BK[:, k].numpy()
        return pd.DataFrame(columns)
