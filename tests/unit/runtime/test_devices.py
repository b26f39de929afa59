"""``device: auto`` never computes on the CPU in silence where an NVIDIA card is there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from nrdfer.core.errors import ProfileError
from nrdfer.runtime import devices, nvidia
from nrdfer.runtime.devices import pick_device


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with a card for which the installed PyTorch is no build."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    version = tmp_path / "proc" / "version"
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar\n")
    monkeypatch.setattr(nvidia, "PROC", tmp_path / "proc")
    monkeypatch.setattr(nvidia, "DEV", tmp_path / "dev")
    monkeypatch.setattr(nvidia, "torch_build", lambda: nvidia.TorchBuild("2.13.0", "13.0"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices._accept_cpu.cache_clear()
    yield tmp_path
    devices._accept_cpu.cache_clear()


def test_auto_is_refused_with_the_reason_and_the_words_that_accept_it() -> None:
    for _ in range(2):  # not only the first time
        with pytest.raises(ProfileError) as refused:
            pick_device("auto")
        for words in (
            "driver 550.54.15 is too old",
            "whl/cu126",
            "device: cpu",
            "--device cpu",
            "CUDA_VISIBLE_DEVICES=",
        ):
            assert words in str(refused.value)


def test_cpu_is_taken_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    assert pick_device("cpu").type == "cpu"
    assert not caplog.records


def test_cuda_is_refused_with_the_same_reason() -> None:
    with pytest.raises(ProfileError, match=r"PyTorch finds no GPU \(.*is too old"):
        pick_device("cuda")


def test_hidden_cards_are_a_warning_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with caplog.at_level(logging.WARNING):
        assert pick_device("auto").type == pick_device("auto").type == "cpu"
    (record,) = caplog.records
    assert "computing on the CPU, although this machine has" in record.getMessage()


def test_auto_in_a_container_without_cards_is_a_warning(machine: Path, caplog: pytest.LogCaptureFixture) -> None:
    (machine / "dev" / "nvidia0").unlink()
    with caplog.at_level(logging.WARNING):
        assert pick_device("auto").type == "cpu"
    assert "was started without cards" in caplog.text


def test_a_machine_without_cards_computes_on_its_cpu(
    machine: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(nvidia, "PROC", machine / "nothing")
    monkeypatch.setattr(nvidia, "DEV", machine / "nothing")
    monkeypatch.setenv("PATH", "")
    assert pick_device("auto").type == "cpu"
    assert not caplog.records


def test_a_card_that_pytorch_sees_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto").type == pick_device("cuda").type == "cuda"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ProfileError, match="auto, cpu, cuda"):
        pick_device("gpu")
