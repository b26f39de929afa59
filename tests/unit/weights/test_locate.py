from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.config.profile import WeightsConfig
from nrdfer.core.errors import WeightsError
from nrdfer.weights.catalogue import sample_weights
from nrdfer.weights.locate import network_weights


def test_the_shipped_sample() -> None:
    assert network_weights("retinaface", WeightsConfig(retinaface="sample")) == sample_weights("retinaface")


def test_a_file_of_the_users_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine.pth"
    mine.write_bytes(b"weights")
    assert network_weights("enlightengan", WeightsConfig(enlightengan=str(mine))) == mine


def test_a_typing_error_names_what_there_is() -> None:
    with pytest.raises(WeightsError, match=r"weights.retinaface is 'resnet': neither 'sample'.*retinaface-resnet50"):
        network_weights("retinaface", WeightsConfig(retinaface="resnet"))


def test_published_weights_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"200_net_G_A\.pth.*git blob id 6b4c94ce"):
        network_weights("enlightengan", WeightsConfig())
    (tmp_path / "200_net_G_A.pth").write_bytes(b"cut short")
    with pytest.raises(WeightsError, match="its git blob id is"):
        network_weights("enlightengan", WeightsConfig(folder=str(tmp_path)))
