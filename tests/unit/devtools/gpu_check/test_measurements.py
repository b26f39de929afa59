"""What is measured on a GPU runs on a CPU with a narrow network; the arithmetic of kernels is right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEvent

from devtools.gpu_check import kernels, measurements
from devtools.gpu_check.measurements import WAYS, MadeUpClips, epoch, profile
from nrdfer.core.errors import NrdferError, TrainingError

PROJECT = Path(__file__).resolve().parents[4]
CPU = torch.device("cpu")


def _event(name: str, start: float, end: float, device: DeviceType = DeviceType.CUDA) -> FunctionEvent:
    return FunctionEvent(id=1, name=name, thread=0, start_us=start, end_us=end, device_type=device)


def test_kernels_of_several_streams_count_once() -> None:
    assert kernels.busy([(0, 4), (2, 6), (3, 5), (8, 9)]) == 7
    assert kernels.share_without_kernel([(0, 4), (2, 6), (8, 10)]) == pytest.approx(0.2)
    assert kernels.share_without_kernel([]) is None
    events = [_event("a", 0, 4), _event("b", 6, 7), _event("a", 8, 10), _event("host", 0, 100, DeviceType.CPU)]
    found = kernels.described(events, 2, most=1)
    assert (found["of"], found["calls_a_step"], found["milliseconds_a_step"]) == ("kernels", 1.5, 0.004)
    assert found["share_of_time_without_a_kernel"] == 0.3
    assert found["top"] == [{"name": "a", "share": round(6 / 7, 4), "calls_a_step": 1.0}]


def test_a_profile_and_an_epoch_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = profile(CPU, 60)
    assert "narrow" in seen["network"]
    for way in WAYS:
        assert seen[way]["of"] == "operators of the CPU" and seen[way]["share_of_time_without_a_kernel"] is None
        assert len(seen[way]["top"]) == 20
    found = epoch(CPU, 600)
    assert found["cache"] == "ram"
    for way in WAYS:
        row = found[way]
        assert row["measured_whole"] and row["clips_trained"] == row["clips_of_the_epoch"] == 16
        assert row["epoch_seconds"] > 0 and min(row["test_seconds"].values()) > 0
        assert row["minutes_for_five_folds_of_70_epochs"] is None

    def refuses(*_: object) -> None:
        raise TrainingError("no such thing here")

    monkeypatch.setattr(measurements, "_learner", refuses)
    broken = epoch(CPU, 600)
    assert all(broken[way] == {"passed": False, "why": "TrainingError: no such thing here"} for way in WAYS)


def test_preprocessing_without_an_ffmpeg_says_what_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise NrdferError("no ffmpeg was found")

    monkeypatch.setattr(measurements, "ffmpeg_executable", none)
    found = measurements.preprocessing(CPU, 0.0)
    assert found["decoding"] == "not measured: no ffmpeg was found"
    assert found["cpu"]["frames"] == 1 and found["cpu"]["frames_per_second"] > 0


def test_made_up_clips_have_the_asked_mean_length() -> None:
    made = MadeUpClips(400, 400 * 77)
    lengths = [made.record(clip_id).n_frames for clip_id in made.clip_ids]
    assert 70 < sum(lengths) / 400 < 84
    assert made.frames("000003").shape == (lengths[3], 112, 112, 3)
    assert made.frames("000003", [0, 5]).shape == (2, 112, 112, 3)


@pytest.mark.slow  # renders and preprocesses videos, and trains in the bench
def test_the_whole_check_on_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    line = [sys.executable, "-m", "scripts.gpu_check", "--device", "cpu", "--json", str(file)]
    parts = ["--parts", "machine,preprocessing,train,profile"]
    done = subprocess.run([*line, *parts], capture_output=True, text=True, cwd=PROJECT, timeout=600)
    report = json.loads(file.read_text())
    assert json.loads(done.stdout) == report
    assert (report["device"], list(report["parts"])) == ("cpu", ["machine", "preprocessing", "train", "profile"])
    # a busy machine may take longer than a part's time, which is reported, too
    assert {row["outcome"] for row in report["parts"].values()} <= {"passed", "timed out"}, report
    assert report["parts"]["machine"]["not_run"][0]["why"] == "PyTorch sees no GPU on this machine"
    mine = tmp_path / "thesis.json"
    mine.write_text('{"years": 2}')
    refused = subprocess.run([*line[:-1], str(mine)], capture_output=True, text=True, cwd=PROJECT, timeout=300)
    assert refused.returncode == 2 and "is no report of this check" in refused.stderr
    assert mine.read_text() == '{"years": 2}'
