from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import NrdferError
from nrdfer.evaluation.apply_filter import decide, truth
from nrdfer.evaluation.filter_settings import Reading
from nrdfer.models.snippet_filter import filter_logits, find_vetoes

NEUTRAL = EMOTIONS.index("neutral")

NETWORK = {"snippet_width": 3, "snippet_stride": 2, "mu1": 0.7, "mu2": 0.05}
CLIPS, PLACES = 60, {3: 13, 6: 10}


def predictions() -> pd.DataFrame:
    """Random logits, neutral often the largest, so that the filter has something to do."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (CLIPS, 7))
    logits[:, NEUTRAL] += 1.5
    banks = {width: rng.normal(0, 2.5, (CLIPS, places, 7)).astype(np.float32) for width, places in PLACES.items()}
    vetoes = find_vetoes(torch.from_numpy(banks[3][:, ::2].astype(np.float64)), 0.7, 0.05, NEUTRAL)
    final = filter_logits(torch.from_numpy(logits), vetoes, NEUTRAL).argmax(-1)
    return pd.DataFrame(
        {
            "emotion": [EMOTIONS[i % 7] for i in range(CLIPS)],
            "predicted": [EMOTIONS[k] for k in final],
            "predicted_unfiltered": [EMOTIONS[k] for k in logits.argmax(-1)],
            **{f"logit_{k}": logits[:, k] for k in range(7)},
            **{f"snippets_{width}": [row.reshape(-1) for row in bank] for width, bank in banks.items()},
        }
    )


def by_network(table: pd.DataFrame, width: int, stride: int, mu1: float, mu2: float) -> list[int]:
    """The answers of the network's own filter on the same logits."""
    bank = np.stack(table[f"snippets_{width}"].tolist()).reshape(CLIPS, -1, 7)[:, ::stride].astype(np.float64)
    logits = table[[f"logit_{k}" for k in range(7)]].to_numpy()
    vetoes = find_vetoes(torch.from_numpy(bank), mu1, mu2, NEUTRAL)
    return [int(k) for k in filter_logits(torch.from_numpy(logits), vetoes, NEUTRAL).argmax(-1)]


def test_without_the_filter_the_sequences_own_logits_decide() -> None:
    table = predictions()
    logits = table[[f"logit_{k}" for k in range(7)]].to_numpy()
    assert decide(table, NETWORK, Reading(sf=False)).tolist() == logits.argmax(1).tolist()
    assert truth(table, EMOTIONS).tolist() == [i % 7 for i in range(CLIPS)]


@pytest.mark.parametrize("width", [3, 6])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_windows_are_read_as_the_networks_own_filter_reads_them(width: int, stride: int) -> None:
    table = predictions()
    answers = decide(table, NETWORK, Reading(width=width, stride=stride)).tolist()
    assert answers == by_network(table, width, stride, 0.7, 0.05)
    if (width, stride) == (3, 2):
        assert answers == decide(table, NETWORK, Reading()).tolist()


def test_thresholds_are_read_from_the_same_snippets() -> None:
    table = predictions()
    seen = set()
    for mu1 in (0.5, 0.7, 0.9):
        for mu2 in (0.01, 0.05, 0.2):
            answers = decide(table, NETWORK, Reading(mu1=mu1, mu2=mu2)).tolist()
            assert answers == by_network(table, 3, 2, mu1, mu2)
            seen.add(tuple(answers))
    assert len(seen) > 3  # otherwise nothing was told apart


def test_a_network_without_snippets_is_told_so() -> None:
    table = predictions().drop(columns=["snippets_6"])
    with pytest.raises(NrdferError, match="no snippets of width 6; evaluate the checkpoint again"):
        decide(table, NETWORK, Reading(width=6))
    rival = predictions().assign(predicted=predictions()["predicted_unfiltered"])
    assert decide(rival, {"width": 4}, Reading()).tolist() == decide(rival, {"width": 4}, Reading(sf=False)).tolist()


@pytest.mark.parametrize(("values", "message"), [({"width": 0}, "width"), ({"mu1": 1.2}, "mu1 is a probability")])
def test_a_reading_that_cannot_be_meant_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reading(**values)  # type: ignore[arg-type]
