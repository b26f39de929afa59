"""One predictor, and one prediction, for all tests that only look at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.predict.model import TrainedModel, open_model
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.result import Prediction
from nrdfer.predict.windows import WindowSettings


@pytest.fixture(scope="session")
def trained(network_folder: Path, sample_shell: None) -> TrainedModel:
    return open_model(str(network_folder))


@pytest.fixture(scope="session")
def predictor(trained: TrainedModel) -> Predictor:
    return Predictor.load(trained, WindowSettings(window=1.0, stride=0.4), device="cpu")


@pytest.fixture(scope="session")
def predicted(predictor: Predictor, acted_video: Path) -> Prediction:
    return predictor.predict(acted_video)
