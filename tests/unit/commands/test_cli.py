"""The command line: thin, quick to ask for help, and plain about what went wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.config.alignment import AlignSettings
from nrdfer.enhance.enhancer import Enhancer
from nrdfer.faces.align_clip import crops, plan_clip
from nrdfer.faces.load_detector import load_detector
from nrdfer.faces.stats import luma_of
from nrdfer.video.jpeg import encode_jpeg
from nrdfer.weights.catalogue import sample_weights

pytestmark = pytest.mark.slow

runner = CliRunner()


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, nrdfer.cli; print([m for m in ('torch', 'mlflow', 'cv2', 'dagster') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_results_before_any_run_say_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    done = runner.invoke(app, ["results"])
    assert done.exit_code == 1
    assert "run: nrdfer reproduce\n" in done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["preprocess", "{tmp}/nothing", "--out", "{tmp}/out"], "nothing"),
        (["preprocess", "{tmp}", "--out", "{tmp}/out"], "no video"),
        (["preprocess", "{tmp}/a.mp4", "--out", "{tmp}/out", "--retinaface", "{tmp}/w.pth"], "nor a file"),
    ],
)
def test_bad_input_is_one_message_and_exit_1(tmp_path: Path, words: list[str], message: str) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0" * 64) if "a.mp4" in " ".join(words) else None
    done = runner.invoke(app, [word.format(tmp=tmp_path) for word in words])
    assert done.exit_code == 1
    assert message in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_preprocess_reports_every_video(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"\0" * 4096)
    out = tmp_path / "out"
    done = runner.invoke(app, ["preprocess", str(tmp_path), "--out", str(out), "--json", str(tmp_path / "t.json")])
    assert done.exit_code == 0, done.output
    assert "has seen rendered faces only" in done.output
    (row,) = json.loads((tmp_path / "t.json").read_text())
    assert (row["clip"], row["frames"], row["status"]) == ("broken.mp4", 0, "unreadable")
    assert row["reason"]
    assert list(out.iterdir()) == []


def test_preprocess_tells_how_well_people_were_followed(tmp_path: Path, shared_dir: Path) -> None:
    clips = [str(shared_dir / "clips" / name) for name in ("pyfeat_single_face.mp4", "pyfeat_no_face.mp4")]
    weights = ["--retinaface", str(shared_dir / "weights" / "retinaface_mobilenet0.25.pth")]
    table = tmp_path / "t.json"
    extra = ["--stats", "--json", str(table), "--enlightengan", "sample", "--target", "longest", "--workers", "1"]
    done = runner.invoke(app, ["preprocess", *clips, "--out", str(tmp_path / "out"), *weights, *extra])
    assert done.exit_code == 0, done.output
    lines = {line.split()[0]: line.split()[1:] for line in done.output.splitlines() if line.startswith("pyfeat")}
    share, tracks, switches, jitter, gap, score, size, luma = lines["pyfeat_single_face.mp4"]
    assert (share, tracks, switches, gap) == ("1.000", "1", "0", "0")
    assert 0 < float(jitter) < 5
    assert float(score) > 0.99
    assert 150 < float(size) < 220
    assert lines["pyfeat_no_face.mp4"][:4] == ["0.000", "0", "0", "-"]
    assert "72 of 167 frames with the target (43.1%); 0 suspected switches of identity" in done.output
    rows = json.loads(table.read_text())
    assert rows[0]["stats"]["jitter"] == float(jitter)
    plain = next(iter_crops(Path(clips[0]), Path(weights[1])))
    bright = Enhancer.load(sample_weights("enlightengan")).enhance(plain[None])[0]
    written = (tmp_path / "out" / "pyfeat_single_face" / "0000.jpg").read_bytes()
    assert written == encode_jpeg(bright, 95) != encode_jpeg(plain, 95)
    assert abs(float(luma) - luma_of(plain)) < 3  # measured before


def iter_crops(video: Path, weights: Path) -> Iterator[np.ndarray]:
    settings = AlignSettings()
    return crops(plan_clip(video, load_detector(weights), settings), settings.size)


def test_preprocess_refuses_settings_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0" * 64)
    done = runner.invoke(app, ["preprocess", str(tmp_path), "--out", str(tmp_path / "o"), "--target", "nearest"])
    assert done.exit_code == 1
    assert "presence, longest, largest, central" in done.output


def test_corpus_render_refuses_an_impossible_corpus(tmp_path: Path) -> None:
    done = runner.invoke(app, ["corpus", "render", "--out", str(tmp_path / "c"), "--dfew-identities", "7"])
    assert done.exit_code == 1
    assert "multiple of 5" in done.output


def test_models_for_programs_and_for_people() -> None:
    done = runner.invoke(app, ["models", "--json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.output)
    keys = {"name", "settings", "parameters", "gmacs", "gmacs_published_counting", "gmacs_published", "table"}
    assert all(keys <= set(row) for row in rows)
    (default,) = [
        row for row in rows if row["table"] == "3" and row["settings"]["M"] == 2 and row["settings"]["N"] == 4
    ]
    assert round(default["gmacs_published_counting"], 2) == default["gmacs_published"] == 6.33
    people = runner.invoke(app, ["models"])
    assert "former-dfer" in people.output
    assert "6.33" in people.output
    assert "docs/models.md" in people.output


def test_export_writes_a_file_from_a_checkpoint_and_says_what_it_takes(tmp_path: Path) -> None:
    from nrdfer.models.registry import build_model
    from nrdfer.models.saved_model import cpu_weights, write_description, write_weights
    from nrdfer.models.trained_files import LAST

    settings = {"image_size": 32, "width": 4, "hidden": 8}
    write_weights(tmp_path / LAST, cpu_weights(build_model("resnet18-gru", settings)))
    write_description(tmp_path, "resnet18-gru", settings, {"sampling": {}})
    done = runner.invoke(app, ["export", str(tmp_path / "m.pt2"), "--model", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "clips (B, 16, 3, 32, 32)" in done.output
    assert (tmp_path / "m.pt2").stat().st_size > 1000


@pytest.mark.parametrize(
    ("model", "message"), [("{tmp}/nothing", "not a trained network"), ("models:/nobody@champion", "no model models:/")]
)
def test_exporting_what_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, message: str) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    done = runner.invoke(app, ["export", str(tmp_path / "m.pt2"), "--model", model.format(tmp=tmp_path)])
    assert done.exit_code == 1
    assert message in done.output
    assert not (tmp_path / "m.pt2").exists()
