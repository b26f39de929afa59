"""NVIDIA cards are found by the driver's files, and the reason for which PyTorch sees none is named with a remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nrdfer.runtime import nvidia
from nrdfer.runtime.nvidia import Cards, TorchBuild, find_cards, torch_build, why_unseen

VERSION = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build  (builder@host)  Tue Sep\nGCC version:"
)
CPU, CUDA_12, CUDA_13 = TorchBuild("2.13.0+cpu", None), TorchBuild("2.9.0+cu126", "12.6"), TorchBuild("2.13.0", "13.0")


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without cards or scheduler; its folders are `proc` and `dev`."""
    monkeypatch.setattr(nvidia, "PROC", tmp_path / "proc")
    monkeypatch.setattr(nvidia, "DEV", tmp_path / "dev")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "RAY_JOB_ID", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name in ("proc", "dev", "bin"):
        (tmp_path / name).mkdir()
    return tmp_path


def plug_in(machine: Path, driver: str = "580.82.07", cards: int = 1, files: bool = True) -> Cards:
    (machine / "proc" / "version").write_text(VERSION.format(driver))
    for number in range(cards):
        card = machine / "proc" / "gpus" / f"0000:0{number}:00.0"
        card.mkdir(parents=True)
        (card / "information").write_text("Model: \t\t NVIDIA H200\nIRQ:   \t\t 35\n")
        if files:
            (machine / "dev" / f"nvidia{number}").touch()
    (machine / "dev" / "nvidiactl").touch()
    return find_cards()


def test_a_machine_without_cards_has_none() -> None:
    assert not find_cards().there


def test_cards_and_driver_are_read_from_the_drivers_files(machine: Path) -> None:
    cards = plug_in(machine, cards=2)
    assert cards.there and cards.driver == "580.82.07" and len(cards.files) == 2
    assert str(cards) == "NVIDIA H200, driver 580.82.07"


def test_a_device_file_alone_is_a_card_and_a_strange_version_is_no_obstacle(machine: Path) -> None:
    (machine / "dev" / "nvidia0").touch()
    assert find_cards().there and str(find_cards()) == "an NVIDIA card"
    (machine / "proc" / "version").write_text("\x1b[2J something else")
    assert str(find_cards()) == "an NVIDIA card, driver of unknown version"
    assert not why_unseen(find_cards(), CUDA_13).wanted


def test_where_the_driver_shows_no_files_nvidia_smi_is_asked(machine: Path) -> None:
    program = machine / "bin" / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '560.94, NVIDIA GeForce RTX 4090'\n")
    program.chmod(0o755)
    assert find_cards() == Cards("560.94", ("NVIDIA GeForce RTX 4090",), virtual=True)
    program.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert not find_cards().there


@pytest.mark.parametrize(
    ("driver", "build", "reason", "remedy"),
    [
        ("580.82.07", CPU, "2.13.0+cpu is a build for CPUs", "whl/cu130"),
        ("550.54.15", CPU, "2.13.0+cpu is a build for CPUs", "whl/cu126"),
        ("470.82.01", CPU, "2.13.0+cpu is a build for CPUs", "update the driver to 525"),
        ("550.54.15", CUDA_13, "550.54.15 is too old for PyTorch 2.13.0, which is built for CUDA 13.0", "whl/cu126"),
        ("510.47.03", CUDA_12, "needs driver 525 or newer", "update the driver"),
        ("550.54.15", CUDA_12, "could not start CUDA", "nvidia-smi"),
        ("580.82.07", None, "is not installed", "whl/cu130"),
        ("580.82.07", TorchBuild("2.9.0+rocm6.4", None, True), "for other makers' cards", "whl/cu130"),
    ],
)
def test_the_reason_is_named_with_what_to_do(
    machine: Path, driver: str, build: TorchBuild | None, reason: str, remedy: str
) -> None:
    unseen = why_unseen(plug_in(machine, driver), build)
    assert reason in unseen.reason and remedy in unseen.remedy
    assert not unseen.wanted


@pytest.mark.parametrize("value", ["", " ", "-1", "NoDevFiles"])
def test_hidden_cards_are_wanted_so(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    for build in (CPU, CUDA_13):
        assert why_unseen(Cards("580.1"), build).wanted


def test_a_number_of_no_card_is_a_mistake(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    unseen = why_unseen(plug_in(machine), CUDA_13)
    assert "CUDA_VISIBLE_DEVICES=7 names no card" in unseen.reason and not unseen.wanted


@pytest.mark.parametrize("build", [CUDA_13, CPU, None])
def test_a_container_without_cards_is_no_mistake_whatever_pytorch_and_driver_are(
    machine: Path, build: TorchBuild | None
) -> None:
    for driver in ("580.82.07", "470.82.01"):
        unseen = why_unseen(plug_in(machine, driver, cards=0), build)
        assert "was started without cards" in unseen.reason and "--gpus all" in unseen.remedy and unseen.wanted


def test_a_card_that_may_not_be_opened(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = plug_in(machine)

    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    assert "may not open" in why_unseen(cards, CUDA_13).reason
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert why_unseen(cards, CUDA_13).wanted and why_unseen(cards, CPU).wanted


def test_the_installed_build_is_read_as_torch_tells_it() -> None:
    import torch

    build = torch_build()
    assert build is not None
    assert (build.version, build.cuda) == (str(torch.__version__), torch.version.cuda)
