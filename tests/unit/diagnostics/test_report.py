"""``nrdfer doctor`` without arguments: what it says of this machine and of machines that lack something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from devtools.tracking_server import free_port
from nrdfer.cli import app
from nrdfer.core import disk
from nrdfer.diagnostics import packages, servers, video_tools
from nrdfer.runtime import nvidia

SECRET = "hunter2-hunter2"  # noqa: S105


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and no cards whatever the machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(nvidia, "PROC", tmp_path / "proc")
    monkeypatch.setattr(nvidia, "DEV", tmp_path / "dev")
    return tmp_path


def look(*arguments: str, **environment: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["doctor", *arguments], env=environment)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def sections(output: str) -> dict[str, dict[str, Any]]:
    return {section["name"]: section for section in json.loads(output)["sections"]}


def test_a_new_machine_is_ready_and_nothing_is_written(place: Path) -> None:
    code, text = look()
    assert (code, text.splitlines()[-1]) == (0, "nothing is missing for a first reproduction")
    for words in (
        "cores",
        "Python 3.",
        "PyTorch",
        "ffmpeg",
        "sample",
        "retinaface-resnet50: not here",
        "free",
        "MLflow",
    ):
        assert words in text
    assert list(place.iterdir()) == []
    code, text = look("--json")
    found = sections(text)
    assert code == 0 and json.loads(text)["complete"] is True
    assert found["weights"]["facts"]["absent"]
    assert found["Python"]["facts"]["unmet"] == []


def test_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys, nrdfer.cli\n"
        "heavy = ('torch', 'mlflow', 'dagster', 'cv2', 'scipy', 'sqlalchemy')\n"
        "try: nrdfer.cli.app(['doctor'])\n"
        "except SystemExit as end: print(end.code, [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


def test_what_the_paper_needs_is_missing_with_where_to_put_it(place: Path) -> None:
    code, text = look(NRDFER_PROFILE="paper", NRDFER_DFEW_ROOT=str(place / "nothing"))
    assert code == 1
    assert f"missing  DFEW: the folder {place / 'nothing'} does not exist" in text
    assert "missing  AFEW: NRDFER_AFEW_ROOT is not set" in text
    assert f"missing  enlightengan: not here. Put 200_net_G_A.pth into {place / 'home' / 'weights'}" in text
    assert "warning  retinaface-resnet50: not here; the run fetches it" in text
    assert "missing for a first reproduction" in text.splitlines()[-1]


def test_weights_are_found_by_name_or_size_without_being_read(place: Path) -> None:
    weights = place / "weights"
    weights.mkdir()
    (weights / "200_net_G_A.pth").touch()
    with (weights / "renamed.pth").open("wb") as file:
        file.truncate(1_789_735)
    (weights / "Resnet50_Final.pth").write_bytes(b"cut short")
    found = sections(look("--json", NRDFER_WEIGHTS=str(weights))[1])["weights"]["facts"]
    assert found["here"]["enlightengan"] == str(weights / "200_net_G_A.pth")
    assert found["here"]["retinaface-mobilenet0.25"] == str(weights / "renamed.pth")
    assert "retinaface-resnet50" in found["absent"]


def test_a_profile_that_is_not_there_is_missing() -> None:
    code, text = look(NRDFER_PROFILE="nothing")
    assert code == 1 and "missing  there is no profile" in text


def test_servers_that_do_not_answer_are_missing_and_no_secret_is_shown() -> None:
    address = f"http://someone:{SECRET}@127.0.0.1:{free_port()}"
    database = f"postgresql://someone:{SECRET}@127.0.0.1:{free_port()}/dagster"
    for arguments in ((), ("--json",)):
        code, text = look(
            *arguments,
            MLFLOW_TRACKING_URI=address,
            NRDFER_DAGSTER_DATABASE=database,
            NRDFER_STORE_URL="s3://bucket/place",
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}",
            AWS_SECRET_ACCESS_KEY=SECRET,
        )
        assert code == 1
        assert text.count("does not answer") == 3
        assert SECRET not in text and "someone" not in text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("NRDFER_EXECUTOR", "celery", "is not valid: give one of local, ray, slurm, k8s"),
        ("NRDFER_EXECUTOR", "slurm", "sbatch"),
        ("DAGSTER_HOME", "nowhere", "is no folder"),
        ("MLFLOW_TRACKING_URI", "http://127.0.0.1:notaport", "is no address"),
        ("MLFLOW_TRACKING_URI", "http://a..b:5000", "is no address"),
    ],
)
def test_settings_that_cannot_work_are_missing(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    code, text = look(**{name: value})
    assert code == 1 and words in text


def test_a_folder_that_cannot_be_written_is_missing(place: Path) -> None:
    (place / "file").touch()
    code, text = look(NRDFER_HOME=str(place / "file" / "home"))
    assert code == 1 and "cannot be written" in text


def test_a_card_that_pytorch_cannot_use_is_a_warning_with_the_line_that_helps(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia, "torch_build", lambda: nvidia.TorchBuild("2.13.0", "13.0"))
    (place / "dev").mkdir()
    (place / "dev" / "nvidia0").touch()
    (place / "proc").mkdir()
    (place / "proc" / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar\n")
    code, text = look()
    assert code == 0  # the sample needs none
    assert "warning  PyTorch cannot use it: the driver 550.54.15 is too old" in text and "whl/cu126" in text


def test_packages_out_of_range_and_absent_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["numpy<1", "no-such-package>=2", 'only-of-an-extra; extra == "dev"', "torch>=2"]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: wanted)
    found = packages.examine()
    assert found.facts["unmet"] == ["numpy<1", "no-such-package>=2"]
    assert not found.complete


def test_an_ffmpeg_without_what_is_needed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_tools, "candidates", lambda: ("/bin/false",))
    monkeypatch.setattr(video_tools, "_version", lambda program: "5.1")
    monkeypatch.setattr(video_tools, "offers", lambda program, kind: frozenset({"mpeg4", "h264"}))
    found = video_tools.examine()
    assert found.complete
    assert {"encoders: libx264", "filters: zscale"} <= set(found.facts["lacking"])
    monkeypatch.setattr(video_tools, "offers", lambda program, kind: frozenset({"h264"}))
    assert not video_tools.examine().complete


def test_a_folder_that_may_not_be_looked_into_is_missing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = place / "closed" / "weights"
    exists = Path.exists

    def refuse(path: Path) -> bool:
        if closed.parent in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", refuse)
    code, text = look(NRDFER_WEIGHTS=str(closed))
    assert code == 1 and f"{closed} does not exist, or may not be looked into" in text
    assert disk.free_bytes(closed) > 0


def test_a_server_behind_a_proxy_is_not_asked_unless_it_is_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert servers._behind_proxy("https", "mlflow.example")
    monkeypatch.setenv("no_proxy", "mlflow.example")
    assert not servers._behind_proxy("https", "mlflow.example")


def test_the_projects_folder_is_here_or_above_and_where_there_is_none_init_is_named(place: Path) -> None:
    assert "is not a project's folder; `nrdfer init FOLDER` makes one" in look()[1]
    (place / "dagster.yaml").write_text("run_storage:\n  module: pipelines.storage\n")
    (place / "below").mkdir()
    os.chdir(place / "below")
    assert f"settings of {place / 'dagster.yaml'}" in look()[1]
