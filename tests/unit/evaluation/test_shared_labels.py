"""Figures over the emotions that a network and another corpus share."""

from __future__ import annotations

import pandas as pd
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import NrdferError
from nrdfer.evaluation.protocols import fold_metrics
from nrdfer.evaluation.shared_labels import restricted, shared_emotions

SIX = tuple(name for name in EMOTIONS if name != "surprise")


def test_shared_emotions_keep_the_networks_order() -> None:
    assert shared_emotions(EMOTIONS, (*reversed(SIX), "calm"), "any") == SIX
    with pytest.raises(NrdferError, match="the network answers a, b, and Any has b, c: they share b, and a comparison"):
        shared_emotions(("a", "b"), ("b", "c"), "Any")


def test_answers_are_the_most_probable_shared_emotion() -> None:
    logits = {"surprise": 9.0, "neutral": 5.0, "fear": 4.0}
    row = {f"logit_{k}": logits.get(name, 0.0) for k, name in enumerate(EMOTIONS)}
    answers = {"predicted": "surprise", "predicted_unfiltered": "surprise"}
    table = pd.DataFrame(
        [
            {"clip_id": "a", "emotion": "neutral", "vetoed": False, **answers, **row},
            {"clip_id": "b", "emotion": "fear", "vetoed": True, **answers, **row},
        ]
    )
    found = restricted(table, EMOTIONS, SIX)
    assert found["predicted"].tolist() == ["neutral", "fear"]
    assert found["predicted_unfiltered"].tolist() == ["neutral", "neutral"]
    assert fold_metrics(found, SIX)["war"] == 1.0
    assert table["predicted"].tolist() == ["surprise", "surprise"]  # the given table is left alone
