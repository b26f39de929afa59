"""A registered version behind MLflow's pyfunc interface, opened by this package's own code.

Nothing in the version's folder is imported or run, whatever MLflow's description of it says.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nrdfer.registry import tags
from nrdfer.registry.loading import note_code
from nrdfer.registry.private_copy import private_copy, weights_sha256
from nrdfer.registry.verified_open import open_version
from nrdfer.runtime.code_version import code_version
from nrdfer.tracking.client import Tracking

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel


def load_registered(
    model: str, tracking: Tracking | None = None, *, folders: Sequence[str | os.PathLike[str]] = ()
) -> PyFuncModel:
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
    from mlflow.models import Model
    from mlflow.pyfunc import FLAVOR_NAME, PyFuncModel

    from nrdfer.serving.emotion_model import EmotionModel, signature
    from nrdfer.serving.loader import FOLDERS, MODULE, SHA256, Answering, open_artifacts
    from nrdfer.serving.video_model import video_signature

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
    return PyFuncModel(described, Answering(wrapper))
