"""What a power cut may leave of files that are taken for whole: each is whole, or is not taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from devtools.power_cut import make_library
from nrdfer.preprocessing.clip_files import is_written, read_clip
from nrdfer.store import Store
from nrdfer.store.pointers import Pointers
from tests.power_cuts import left_after, needs_simulator

pytestmark = needs_simulator

CLIP = """
import os
from pathlib import Path
import numpy as np
from nrdfer.core.records import ClipRecord
from nrdfer.preprocessing.clip_files import write_clip
frames = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
record = ClipRecord("afew", "clip", "anger", "train", 3, "0" * 64)
Path("work").mkdir()
write_clip(Path("work"), record, iter(frames), 48)
os._exit(0)
"""
ARTEFACT = """
import os
from pathlib import Path
from nrdfer.store.pointers import Pointers
from nrdfer.store import Store
def build(out):
    for name in ("a", "b/c"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(name.encode() * 9000)
    return {}
made = Store(Path("store")).build("some/asset", code_version="1", config={}, inputs={}, build=build)
Pointers(Store(Path("store")), Path("pointers")).set("some/asset", made)
os._exit(0)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_library(tmp_path_factory.mktemp("library"))


def test_a_clip_that_is_taken_for_written_after_a_power_cut_is_whole(tmp_path: Path, library: Path) -> None:
    left = left_after(CLIP, tmp_path, library)
    frames = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    taken = [folder / "work" for folder in left if is_written(folder / "work", "clip")]
    assert taken
    assert all(np.array_equal(read_clip(folder, "clip")[1], frames) for folder in taken)


def test_an_artefact_that_is_found_after_a_power_cut_is_whole(tmp_path: Path, library: Path) -> None:
    left = left_after(ARTEFACT, tmp_path, library)
    assert left
    for folder in left:
        store = Store(folder / "store")
        found = Pointers(store, folder / "pointers").get("some/asset")
        assert found is not None
        store.open("some/asset", found.digest, verify="full")
        assert (found.path / "b/c").read_bytes() == b"b/c" * 9000
