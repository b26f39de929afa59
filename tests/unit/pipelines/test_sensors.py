"""The sensor notices what is new and at rest, once; the job it launches answers and shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from assets import pictures, prediction
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import WeightsError
from nrdfer.core.plain_text import name_of
from nrdfer.predict import model as predict_model
from nrdfer.predict.choose import choose_model
from nrdfer.predict.video_output import Work, failed
from nrdfer.video.discovery import Source
from pipelines.definitions import defs
from pipelines.sensors import new_videos
from tests.unit.acting import act


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    for name in ("NRDFER_INBOX", "NRDFER_PROFILE", "NRDFER_PROFILES", "NRDFER_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "inbox"


class Ticks:
    """Evaluates the sensor again and again, with the cursor it left."""

    def __init__(self) -> None:
        self.cursor: str | None = None

    def tick(self) -> tuple[list[dg.RunRequest], str]:
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance=instance, cursor=self.cursor, definitions=defs)
            result = new_videos(context)
        if isinstance(result, dg.SkipReason):
            return [], str(result.skip_message)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return list(result.run_requests or []), str(result.skip_reason.skip_message if result.skip_reason else "")


def config_of(request: dg.RunRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.run_config["ops"][prediction.NAME]["config"]
    return found


def test_no_folder_is_no_error(inbox: Path) -> None:
    requests, told = Ticks().tick()
    assert requests == []
    assert f"there is no folder {inbox}" in told


def test_a_video_is_launched_once_it_rests(inbox: Path) -> None:
    inbox.mkdir()
    ticks = Ticks()
    assert "nothing new" in ticks.tick()[1]
    (inbox / "a.mp4").write_bytes(b"1")
    (inbox / "notes.txt").write_text("no video")
    assert "1 of 1 videos" in ticks.tick()[1]
    (inbox / "a.mp4").write_bytes(b"12")  # still growing
    assert ticks.tick()[0] == []
    (inbox / "b.mp4").write_bytes(b"1")  # the next one begins to come
    (request,), _ = ticks.tick()
    assert config_of(request)["folder"] == str(inbox)
    assert config_of(request)["leave_out"] == [str(inbox / "b.mp4")]
    (second,), _ = ticks.tick()
    assert config_of(second)["leave_out"] == []
    assert second.run_key != request.run_key
    assert ticks.tick() == ([], f"nothing new in {inbox}")
    (inbox / "b.mp4").write_bytes(b"another")
    assert ticks.tick()[0] == []
    assert len(ticks.tick()[0]) == 1
    os.utime(inbox / "a.mp4", ns=(1, 1))
    ticks.tick()
    assert len(ticks.tick()[0]) == 1
    (inbox / "a.mp4").unlink()
    assert ticks.tick()[0] == []


def test_a_lost_cursor_launches_nothing_twice(inbox: Path) -> None:
    """Dagster runs a run key once; the same files give the same."""
    inbox.mkdir()
    (inbox / "a.mp4").write_bytes(b"1")
    keys = []
    for _ in range(2):
        ticks = Ticks()
        ticks.tick()
        keys.append(ticks.tick()[0][0].run_key)
    assert keys[0] == keys[1]


def test_another_folder(inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_INBOX", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep" / "a.mp4").write_bytes(b"1")
    ticks = Ticks()
    ticks.tick()
    assert config_of(ticks.tick()[0][0])["folder"] == str(tmp_path / "elsewhere")


def test_evaluation_imports_nothing_heavy(inbox: Path) -> None:
    inbox.mkdir()
    (inbox / "a.mp4").write_bytes(b"1")
    code = (
        "import sys, dagster as dg; from pipelines.sensors import new_videos; from pipelines.definitions import defs\n"
        "with dg.DagsterInstance.ephemeral() as i: new_videos(dg.build_sensor_context(instance=i, definitions=defs))\n"
        "print([m for m in ('torch', 'mlflow', 'cv2', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_job_answers_and_shows(inbox: Path, network_folder: Path, tmp_path: Path) -> None:
    act(inbox / "a.mp4", face=15, empty=0)
    act(inbox / "wall.mp4", face=0, empty=10)
    (inbox / "broken.mp4").write_bytes(b"\0nonsense" * 500)
    config = prediction.PredictionConfig(model=str(network_folder), annotate=False, enhance="none", device="cpu")
    run_config = dg.RunConfig(ops={prediction.NAME: config})
    done = dg.materialize([prediction.predictions], run_config=run_config)
    assert done.success
    (event,) = done.asset_materializations_for_node(prediction.NAME)
    shown = event.metadata
    counts = {name: shown[name].value for name in ("videos", "answered", "without_a_face", "unreadable", "new")}
    assert "assets/prediction.py:" in str(shown["source"].value)
    assert "; trained on faces that the shipped detector found, which has seen rendered" in str(shown["model"].value)
    assert counts == {"videos": 3, "answered": 1, "without_a_face": 1, "unreadable": 1, "new": 3}
    assert "| a.mp4 | ok |" in str(shown["results"].value)
    assert str(shown["strip_a"].value).startswith("![a](data:image/jpeg;base64,")
    assert len(str(shown["strip_a"].value)) < 200_000
    assert (tmp_path / "predictions" / "a" / "strip.png").is_file()
    told = json.loads((tmp_path / "predictions" / "predictions.json").read_text())
    assert told["overrides"] == ["enhance none instead of crop"]


def test_without_a_model_named_the_job_takes_the_one_that_a_command_would(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def stop(address: str) -> None:
        opened.append(address)
        raise WeightsError("far enough")

    monkeypatch.setattr(predict_model, "open_model", stop)
    done = dg.materialize([prediction.predictions], raise_on_error=False)
    assert not done.success
    assert opened == [choose_model().address] == ["sample"]


def test_a_folder_of_nothing_readable_fails_in_words(inbox: Path, network_folder: Path) -> None:
    inbox.mkdir()
    (inbox / "broken.mp4").write_bytes(b"\0nonsense" * 500)
    config = prediction.PredictionConfig(model=str(network_folder), enhance="none", device="cpu")
    done = dg.materialize(
        [prediction.predictions], run_config=dg.RunConfig(ops={prediction.NAME: config}), raise_on_error=False
    )
    assert not done.success
    (failure,) = [event for event in done.all_events if event.is_step_failure]
    assert "not one of 1 videos" in str(failure.step_failure_data.user_failure_data.description)


def test_the_job_is_described_to_its_last_setting() -> None:
    job = defs.resolve_job_def("predict_videos")
    assert job.description
    fields = prediction.PredictionConfig.model_fields
    assert [name for name, field in fields.items() if not field.description] == []


def test_names_of_videos_are_no_markup_in_the_table(tmp_path: Path) -> None:
    work = Work(SimpleNamespace(emotions=EMOTIONS), tmp_path)  # type: ignore[arg-type]
    source = Source(tmp_path / "<b>a</b>|[x](http:\n.mp4", "a")
    (line,) = prediction.table([failed(source, work, "![](http://elsewhere/x.png)|<script>")]).md_str.splitlines()[2:]
    assert line.replace("\\|", "").count("|") == 8
    assert "<b>" not in line.replace("\\<", "")
    assert "![](" not in line


def test_a_strip_that_is_damaged_or_gone_ends_no_run(tmp_path: Path) -> None:
    (tmp_path / "strip.png").write_bytes(b"no picture")
    assert pictures.small_picture(tmp_path / "strip.png") is None
    assert pictures.small_picture(tmp_path / "gone.png") is None
    (tmp_path / "strip.png").write_bytes(b"")
    assert pictures.small_picture(tmp_path / "strip.png") is None


def test_names_that_are_not_utf8_reach_the_job(inbox: Path) -> None:
    inbox.mkdir()
    act(inbox / "a.mp4", face=2, empty=0)
    ticks = Ticks()
    ticks.tick()
    odd = inbox / os.fsdecode(b"Stra\xdfe.mp4")
    odd.write_bytes(b"still being copied")
    ((request,), _) = ticks.tick()
    (left_out,) = config_of(request)["leave_out"]
    assert left_out.encode()
    assert name_of(left_out) == str(odd)
