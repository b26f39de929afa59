from __future__ import annotations

import os

import pytest
import torch
from safetensors import safe_open

from nrdfer.weights.safetensors_file import save_safetensors


def test_equal_tensors_and_metadata_give_equal_bytes(tmp_path):
    metadata = {f"key{i}": str(i) for i in range(12)}
    contents = set()
    for attempt in range(6):
        path = tmp_path / f"{attempt}.safetensors"
        save_safetensors(path, {"b": torch.ones(3), "a": torch.zeros(2, 2)}, metadata)
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_saving_keeps_metadata_and_replaces_whole_files_only(tmp_path, monkeypatch):
    path = tmp_path / "new" / "net.safetensors"
    save_safetensors(path, {"a": torch.arange(6).reshape(2, 3).T}, {"format": "test"})
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"format": "test"}
        assert torch.equal(file.get_tensor("a"), torch.arange(6).reshape(2, 3).T)
    before = path.read_bytes()

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_safetensors(path, {"a": torch.zeros(3)}, {"format": "test"})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
