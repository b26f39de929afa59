"""A registry behind a real server: its versions are copied here whole, checked like local ones, and fetched once."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools.tracking_server import TrackingServer
from nrdfer import registry
from nrdfer.core.errors import WeightsError
from nrdfer.tracking.client import Tracking
from tests.unit.registry.registered import make_checkpoint, register

pytestmark = pytest.mark.slow


def test_a_version_is_copied_once_and_a_changed_one_is_refused(
    server: TrackingServer, remote: Tracking, tmp_path: Path
) -> None:
    server.start()
    checkpoint = make_checkpoint(tmp_path / "checkpoint")
    made = register(remote, checkpoint)
    opened = registry.open_version(made.uri)
    assert opened.folder.is_relative_to(tmp_path / "home")
    assert registry.find_weights(made.uri)[1].read_bytes() == (checkpoint / "last.safetensors").read_bytes()

    (stored,) = (server.folder / "artifacts").rglob("last.safetensors")
    stored.write_bytes(b"something else")
    assert registry.open_version(made.uri).folder == opened.folder  # the copy is what was registered
    opened.artifacts.joinpath("model.json").write_text("{}")  # the copy is not: it is fetched again
    with pytest.raises(WeightsError, match=r"nothing of it was loaded: artifacts/last\.safetensors has the sha256"):
        registry.open_version(made.uri)
    assert [path.name for path in opened.folder.parent.iterdir() if path.is_dir()] == [opened.folder.name]
