"""The key of a prediction: what makes it another one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from nrdfer.predict.predictor import Predictor
from nrdfer.predict.video_output import Work, key_of
from nrdfer.weights.sample_network import ADDRESS

VIDEO = "0" * 64


def test_the_same_weights_under_another_name_or_warning_are_another_prediction(predictor: Predictor) -> None:
    model = predictor.model

    def key(**origin: str) -> str:
        named = dataclasses.replace(model, origin=dataclasses.replace(model.origin, **origin))
        asked = Predictor(named, predictor.cropper, predictor.windows, device="cpu")
        return key_of(Work(asked, Path("out")), VIDEO)

    assert key() == key_of(Work(predictor, Path("elsewhere")), VIDEO)
    named = key(name="own", version="1")
    assert len({key(), named, key(name="own", version="2"), key(name="own", version="1", address=ADDRESS)}) == 4
    assert key(name="own", version="1", run_id="abc") == named  # no file shows it
