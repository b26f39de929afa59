"""JSON from outside that is nested deeper than Python reads: an error in words, as for any other damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools.shard_stream import decode_sample
from nrdfer.core.errors import NrdferError, StoreError, WeightsError
from nrdfer.preprocessing.spec import Preprocessing
from nrdfer.registry import tags
from nrdfer.registry.file_lists import listed_files
from nrdfer.serving.video_bundle import CONTENTS, bundle_in

DEEP = "[" * 200_000


def test_preprocessing_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "preprocessing.json").write_text(DEEP)
    with pytest.raises(WeightsError, match=r"preprocessing\.json does not describe preprocessing"):
        Preprocessing.read(tmp_path / "preprocessing.json")


def test_the_list_of_a_versions_files() -> None:
    with pytest.raises(WeightsError, match="is refused: it has no list of its files"):
        listed_files("models:/nr-dfernet-dfew/1", {tags.FILES: DEEP})


def test_the_contents_of_a_video_model(tmp_path: Path) -> None:
    (tmp_path / CONTENTS).write_text(DEEP)
    with pytest.raises(NrdferError, match="does not list a bundle's files"):
        bundle_in(tmp_path)


def test_a_clip_of_a_shard() -> None:
    with pytest.raises(StoreError, match=r"clip 00001 from a\.tar: .*the shard is damaged"):
        decode_sample({"__key__": "00001", "__url__": "a.tar", "json": DEEP.encode()})
