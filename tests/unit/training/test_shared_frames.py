"""A training from the file of decoded frames that processes share has the bytes of one that decodes by itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from nrdfer.core.errors import TrainingError
from nrdfer.store.decoded import decoded_store, list_decoded
from nrdfer.tracking.training_log import LOG, read_all
from nrdfer.training.loop import train
from tests.unit.training.tiny import ENGINE, FILES, RECIPE, bytes_of, request, run, spots

SHORT = dataclasses.replace(RECIPE, epochs=1)


def test_the_bytes_are_those_of_a_training_that_decodes(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    for kind in ("none", "shared"):
        engine = dataclasses.replace(ENGINE, cache=kind)
        train(request(tmp_path / kind, SHORT, engine=engine, shards=corpus / "shards"))
    for name in FILES:
        assert bytes_of(tmp_path / "shared")[name] == bytes_of(tmp_path / "none")[name], name
    (found,) = list_decoded(decoded_store())
    assert found.clips == 28  # all of the shards', for whichever fold comes next
    (start,) = [line for line in read_all(tmp_path / "shared" / "work" / LOG) if line["kind"] == "start"]
    assert start["cache"] == "shared"


def test_clips_in_memory_have_no_file(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cache: shared keeps the frames of shards"):
        run(spots(), tmp_path, SHORT, engine=dataclasses.replace(ENGINE, cache="shared"))
