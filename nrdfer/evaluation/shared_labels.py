"""Evaluation across corpora: figures over the emotions that a network and another corpus share.

Clips of other emotions are left out, and the network answers with the most probable shared emotion; the snippet-based
filter vetoes neutral as it always does. Predictions themselves belong to ``inference``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nrdfer.core.emotions import neutral_index
from nrdfer.core.errors import NrdferError


def shared_emotions(network: Sequence[str], corpus: Sequence[str], title: str) -> tuple[str, ...]:
    """Emotions of both label sets, in the network's order.

    Args:
        network: label set of the network.
        corpus: label set of the corpus.
        title: of the corpus, for the message.

    Raises:
        NrdferError: they share fewer than two, over which no figure means anything.
    """
    shared = tuple(emotion for emotion in network if emotion in corpus)
    if len(shared) < 2:
        raise NrdferError(
            f"the network answers {', '.join(network)}, and {title} has {', '.join(corpus)}: they share "
            f"{shared[0] if shared else 'no emotion'}, and a comparison needs two"
        )
    return shared


def restricted(predictions: pd.DataFrame, emotions: Sequence[str], shared: Sequence[str]) -> pd.DataFrame:
    """Predictions whose answers are the most probable of the shared emotions.

    Args:
        predictions: of `nrdfer.evaluation.inference.evaluate`.
        emotions: the network's label set.
        shared: some of them, at least one besides neutral.
    """
    kept = [emotions.index(emotion) for emotion in shared]
    logits_NK = predictions[[f"logit_{k}" for k in kept]].to_numpy(dtype=np.float64)
    final_NK = logits_NK.copy()
    neutral = neutral_index(shared)
    if neutral is not None:
        final_NK[predictions["vetoed"].to_numpy(dtype=bool), neutral] = -np.inf
    names = np.array(shared, dtype=object)
    return predictions.assign(predicted=names[final_NK.argmax(-1)], predicted_unfiltered=names[logits_NK.argmax(-1)])
