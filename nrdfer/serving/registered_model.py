"""A registered version behind MLflow's pyfunc interface, opened by this package's own code.

Nothing in the version's folder is imported or run, whatever MLflow's description of it says.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import FLAVOR_NAME, PyFuncModel

from nrdfer.core.coerce import brief_quotes
from nrdfer.core.errors import ClipError
from nrdfer.core.plain_text import one_line
from nrdfer.models.base import check_shape
from nrdfer.registry import tags
from nrdfer.registry.loading import note_code
from nrdfer.registry.private_copy import private_copy, weights_sha256
from nrdfer.registry.verified_open import open_version
from nrdfer.runtime.code_version import code_version
from nrdfer.serving.emotion_model import CLIP, EmotionModel, clip_array, signature
from nrdfer.serving.loader import FOLDERS, MODULE, SHA256, Answering, open_artifacts
from nrdfer.serving.video_model import video_signature
from nrdfer.tracking.client import Tracking

_MOST = 300  # characters of MLflow's reason


class RegisteredModel(PyFuncModel):
    """MLflow's model, which takes 8-bit crops, too, and whose errors never show what was given.

    Args:
        described: MLflow's description.
        answering: the wrapper.
    """

    def __init__(self, described: Model, answering: Answering) -> None:
        super().__init__(described, answering)
        self._wrapper = answering.wrapper

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """As the wrapper's `predict`: of `EmotionModel` or of `VideoModel`.

        Raises:
            ClipError: the data are not what the model takes.
        """
        if isinstance(self._wrapper, EmotionModel):
            clips = clip_array(data)
            check_shape(clips.shape, self._wrapper.network.settings, any_size=True)
            data = {CLIP: clips}
        try:
            return super().predict(data, params)
        except MlflowException as error:
            # its message holds the data, pixels of faces and all; the error that it was made of states the reason
            reason = error.__context__ or type(error).__name__
            raise ClipError(f"the model does not take this: {brief_quotes(one_line(str(reason)))[:_MOST]}") from None


def load_registered(
    model: str, tracking: Tracking | None = None, *, folders: Sequence[str | os.PathLike[str]] = ()
) -> RegisteredModel:
    """A registered version behind MLflow's pyfunc interface: checked weights and JSON, and this package's own code.

    Nothing in the version's folder is imported or run, whatever MLflow's description of it says.

    Args:
        model: ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.
        tracking: the MLflow store; by default this project's.
        folders: of a version that takes videos: those whose videos it opens by their path. Without any it takes a
            file's bytes only.

    Raises:
        WeightsError: see `open_version`.
    """
    opened = open_version(model, tracking)
    with private_copy(opened) as folder:
        config = {SHA256: weights_sha256(opened), FOLDERS: [os.fspath(each) for each in folders]}
        wrapper = open_artifacts(folder, config)
    note_code(opened)
    if isinstance(wrapper, EmotionModel):
        signed = signature(wrapper.emotions, wrapper.frames)
    else:
        signed = video_signature(wrapper.emotions)
    described = Model(
        model_uuid=opened.model_id or None,
        run_id=opened.run_id,
        signature=signed,
        flavors={FLAVOR_NAME: {"loader_module": MODULE}},
        metadata={tags.CODE: code_version().sources},
    )
    return RegisteredModel(described, Answering(wrapper))
