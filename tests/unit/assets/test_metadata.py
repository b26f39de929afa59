"""What the UI shows of a materialisation: results first, then links, then origin; small things without a click."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import numpy as np

from assets.metadata import model_version, results
from assets.pictures import contact_sheet
from assets.project_resource import describe
from nrdfer.core.records import ClipRecord, FrameRecord
from nrdfer.preprocessing.clip_files import write_clip
from nrdfer.store import Artifact
from nrdfer.tracking.client import Tracking

MADE = Artifact("dfew/fd1/evaluation", "d1" * 32, Path("/store/d1"), {}, up_to_date=True)
AT_ONCE = 1000  # characters of Markdown below which Dagster's page shows it without a click


def test_results_come_first_then_links_then_origin_then_digests() -> None:
    shown = describe(
        MADE,
        source=dg.MetadataValue.path("/a.py:1"),
        content_digest="c0" * 32,
        mlflow_run=dg.MetadataValue.url("http://127.0.0.1:5000/#/runs/1"),
        war_honest=0.5,
        picture=dg.MetadataValue.md("![a](b)"),
        clips=7,
    )
    assert list(shown) == [
        "war_honest", "picture", "clips", "mlflow_run", "up_to_date", "path", "source", "digest", "content_digest"
    ]  # fmt: skip


def test_numbers_have_the_digits_that_they_carry() -> None:
    given = {"war": 1 / 7, "loss": 1.94591, "small": 0.000123456, "luma": 123.456, "none": 0.0, "lost": float("nan")}
    shown = describe(MADE, **given, clips=123456)
    assert [shown[name] for name in ("war", "loss", "small", "luma", "none")] == [0.1429, 1.946, 0.0001235, 123.5, 0.0]
    assert np.isnan(shown["lost"]) and shown["clips"] == 123456


def test_the_figures_and_the_errors_are_seen_without_a_click() -> None:
    confusion = np.random.default_rng(0).integers(0, 900, (7, 7))
    confusion[3] = 0  # an emotion without a clip
    figures = {"war": 0.54321, "uar": 0.5, "confusion": confusion.tolist()}
    shown = results(
        {"honest": figures, "paper": {"war_mean": 1.0, "uar_mean": 0.25, "war_pooled": 0.5, "uar_pooled": 0}}
    )
    text = shown["result"].value
    assert "| honest | 54.32 % | 50.00 % |" in text
    assert "| paper, mean of folds | 100.00 % | 25.00 % |" in text and "| paper, pooled | 50.00 % | 0.00 % |" in text
    assert all(len(value.value) < AT_ONCE for value in shown.values())
    assert shown["confusion_at_a_glance"].value.startswith("![rows: true emotion; columns: predicted](data:image/png")


def test_the_sheet_of_the_clip_with_the_fewest_faces_is_shown(tmp_path: Path) -> None:
    assert contact_sheet(tmp_path) == {}
    for clip_id, faces in (("all", 4), ("few", 1)):
        frames = tuple(FrameRecord(i, has_face=i < faces, score=0.5) for i in range(4))
        record = ClipRecord("afew", clip_id, "fear", "train", 4, "0" * 64, frames=frames)
        write_clip(tmp_path, record, iter(np.zeros((4, 16, 16, 3), np.uint8)), 16)
    shown = contact_sheet(tmp_path)
    assert shown["contact_sheet_of"] == "few"
    assert shown["contact_sheet"].value.startswith("![contact sheet](data:image/jpeg")


def test_a_registered_version_is_a_link() -> None:
    found = model_version(Tracking("http://127.0.0.1:5000"), "models:/my net/3").value
    assert found == "http://127.0.0.1:5000/#/models/my%20net/versions/3?workflowType=machine_learning"
