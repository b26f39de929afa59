"""Applying a reading of the snippet-based filter to stored logits (paper, section 3.5, equation 7): no network needed.

Which readings there are belongs to ``nrdfer.experiments``, the filter inside the network to
``nrdfer.models.snippet_filter``. Shapes: N clips, S snippets, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nrdfer.core.emotions import emotion_indices, emotions_in, neutral_index
from nrdfer.core.errors import NrdferError
from nrdfer.evaluation.filter_settings import Reading

Labels = npt.NDArray[np.integer[Any]]  # (N,) class indices


def truth(predictions: pd.DataFrame, emotions: Sequence[str]) -> Labels:
    """True emotions of the clips, as class indices in the label set `emotions`."""
    return emotion_indices(predictions["emotion"], emotions)


def decide(predictions: pd.DataFrame, network: Mapping[str, Any], reading: Reading) -> Labels:
    """The answers of one predictions table under a reading.

    Args:
        predictions: of `nrdfer.evaluation.inference` with details.
        network: settings of the network that predicted, its label set among them, as ``model.json`` holds them.
        reading: of the filter.

    Raises:
        NrdferError: the table lacks snippets of the reading's width.
    """
    emotions = emotions_in(network)
    own = {name: network.get(f"snippet_{name}") for name in ("width", "stride")}
    own |= {name: network.get(name) for name in ("mu1", "mu2")}
    wanted = {name: getattr(reading, name) for name in own if getattr(reading, name) is not None}
    if not reading.sf:
        return emotion_indices(predictions["predicted_unfiltered"], emotions)
    if all(wanted[name] == own[name] for name in wanted):
        return emotion_indices(predictions["predicted"], emotions)
    neutral = neutral_index(emotions)
    if neutral is None:  # nothing to veto
        return emotion_indices(predictions["predicted_unfiltered"], emotions)
    settings = {**own, **wanted}
    snippets_NSK = _snippets(predictions, int(settings["width"]), len(emotions))[:, :: int(settings["stride"])]
    p_NSK = np.exp(snippets_NSK - snippets_NSK.max(-1, keepdims=True))
    p_NSK /= p_NSK.sum(-1, keepdims=True)
    veto_N = ((p_NSK.max(-1) > settings["mu1"]) & (p_NSK[..., neutral] < settings["mu2"])).any(-1)
    logits_NK = predictions[[f"logit_{k}" for k in range(len(emotions))]].to_numpy(dtype=np.float64).copy()
    logits_NK[veto_N, neutral] = -np.inf
    answers: Labels = logits_NK.argmax(-1)
    return answers


def _snippets(predictions: pd.DataFrame, width: int, classes: int) -> npt.NDArray[np.float64]:
    """All snippets of a width at stride 1, (N, S, K)."""
    column = f"snippets_{width}"
    if column not in predictions or not len(predictions[column].iloc[0]):
        raise NrdferError(
            f"these predictions hold no snippets of width {width}; evaluate the checkpoint again, with a network that "
            "has snippets"
        )
    rows = np.stack(predictions[column].tolist()).astype(np.float64)
    return rows.reshape(len(rows), -1, classes)
