from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.corpora.dfew_folders import write_frames, write_labels


@pytest.fixture
def dfew(tmp_path: Path) -> Path:
    root = tmp_path / "DFEW"
    write_labels(root)
    write_frames(root / "Clip" / "clip_224x224")
    return root
