"""Applying a reading of the snippet-based filter to stored logits (paper, section 3.5, equation 7): no network needed.

Which readings there are belongs to ``nrdfer.experiments``, the filter inside the network to
``nrdfer.models.snippet_filter``. Shapes: N clips, S snippets, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nrdfer.core.emotions import EMOTIONS, NEUTRAL, emotion_index
from nrdfer.core.errors import NrdferError
from nrdfer.evaluation.filter_settings import Reading

Labels = npt.NDArray[np.integer[Any]]  # (N,) class indices


def truth(predictions: pd.DataFrame) -> Labels:
    """True emotions of the clips."""
    return predictions["emotion"].map(emotion_index).to_numpy(dtype=np.int64)


def decide(predictions: pd.DataFrame, network: Mapping[str, Any], reading: Reading) -> Labels:
    """The answers of one predictions table under a reading.

    Args:
        predictions: of `nrdfer.evaluation.inference` with details.
        network: settings of the network that predicted, as ``model.json`` holds them.
        reading: of the filter.

    Raises:
        NrdferError: the table lacks snippets of the reading's width.
    """
    own = {name: network.get(f"snippet_{name}") for name in ("width", "stride")}
    own |= {name: network.get(name) for name in ("mu1", "mu2")}
    wanted = {name: getattr(reading, name) for name in own if getattr(reading, name) is not None}
    if not reading.sf:
        return predictions["predicted_unfiltered"].map(emotion_index).to_numpy(dtype=np.int64)
    if all(wanted[name] == own[name] for name in wanted):
        return predictions["predicted"].map(emotion_index).to_numpy(dtype=np.int64)
    settings = {**own, **wanted}
    snippets_NSK = _snippets(predictions, int(settings["width"]))[:, :: int(settings["stride"])]
    p_NSK = np.exp(snippets_NSK - snippets_NSK.max(-1, keepdims=True))
    p_NSK /= p_NSK.sum(-1, keepdims=True)
    veto_N = ((p_NSK.max(-1) > settings["mu1"]) & (p_NSK[..., NEUTRAL] < settings["mu2"])).any(-1)
    logits_NK = predictions[[f"logit_{k}" for k in range(len(EMOTIONS))]].to_numpy(dtype=np.float64).copy()
    logits_NK[veto_N, NEUTRAL] = -np.inf
    answers: Labels = logits_NK.argmax(-1)
    return answers


def _snippets(predictions: pd.DataFrame, width: int) -> npt.NDArray[np.float64]:
    """All snippets of a width at stride 1, (N, S, K)."""
    column = f"snippets_{width}"
    if column not in predictions or not len(predictions[column].iloc[0]):
        raise NrdferError(
            f"these predictions hold no snippets of width {width}; evaluate the checkpoint again, with a network that "
            "has snippets"
        )
    rows = np.stack(predictions[column].tolist()).astype(np.float64)
    return rows.reshape(len(rows), -1, len(EMOTIONS))
