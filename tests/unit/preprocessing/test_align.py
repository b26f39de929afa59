from __future__ import annotations

import csv
import dataclasses
import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nrdfer.config.alignment import AlignSettings
from nrdfer.core.errors import MachineError, NoFaceError, ProfileError
from nrdfer.core.records import FrameRecord
from nrdfer.corpora.afew import find_videos
from nrdfer.corpora.synthetic.render import CorpusSettings, render_corpus
from nrdfer.enhance.enhancer import Enhancer
from nrdfer.faces.alignment import fit_template, warp
from nrdfer.faces.detector import FaceDetector
from nrdfer.faces.load_detector import load_detector
from nrdfer.preprocessing import align, clip_files, enhance, video_crops
from nrdfer.preprocessing.enhance import EnhanceOptions
from nrdfer.preprocessing.video_crops import CropOptions
from nrdfer.video.constant_rate_writer import VideoWriter
from nrdfer.video.decode import iter_frames
from nrdfer.weights.catalogue import sample_weights

pytestmark = pytest.mark.slow

SETTINGS = AlignSettings(max_side=360)
OPTIONS = CropOptions(sample_weights("retinaface"), SETTINGS)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Three rendered videos, one file that is none, and one that is missing."""
    folder = tmp_path_factory.mktemp("corpus")
    tiny = dataclasses.replace(CorpusSettings.tiny(), afew_frames=(4, 5), n1_clips=0.0)
    videos = find_videos(render_corpus(folder / "corpus", tiny) / "AFEW")[:3]
    listed = [
        {
            "corpus": "afew",
            "clip_id": v.clip_id,
            "path": str(v.path),
            "emotion": v.emotion,
            "split": v.split,
            "sha256": "0" * 64,
        }
        for v in videos
    ]
    (folder / "text.avi").write_text("not a video")
    for name in ("text", "gone"):
        path = str(folder / f"{name}.avi")
        listed.append(
            {**listed[0], "clip_id": name, "path": path, "emotion": "fear", "split": "val", "sha256": "0" * 64}
        )
    return listed


@pytest.fixture(scope="module")
def aligned(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Any]]:
    folder = tmp_path_factory.mktemp("aligned")
    (folder / "out").mkdir()
    counts = align.align_corpus(rows, dataclasses.replace(OPTIONS, workers=2), folder / "work", folder / "out")
    return folder, counts


def test_a_bad_clip_is_set_aside_with_its_reason(aligned: tuple[Path, Mapping[str, Any]]) -> None:
    folder, counts = aligned
    assert (counts["clips"], counts["set_aside"]) == (3, 2)
    with (folder / "out" / clip_files.EXCLUDED_CSV).open() as handle:
        reasons = {row["clip_id"]: row["reason"] for row in csv.DictReader(handle)}
    assert "this is a text file, not a video" in reasons["text"]
    assert "cannot be opened" in reasons["gone"]


def test_every_frame_has_a_crop_and_a_record(aligned: tuple[Path, Mapping[str, Any]]) -> None:
    folder, counts = aligned
    clips = list(clip_files.read_clips(folder / "out"))
    assert len(clips) == 3
    for record, frames in clips:
        assert frames.shape == (record.n_frames, 112, 112, 3)
        assert [frame.index for frame in record.frames] == list(range(record.n_frames))
        assert record.corpus == "afew"
    assert counts["frames"] == sum(record.n_frames for record, _ in clips)
    assert counts["frames_with_face"] == counts["frames"]


def test_finished_clips_are_not_repeated(
    rows: list[dict[str, Any]], aligned: tuple[Path, Mapping[str, Any]], tmp_path: Path
) -> None:
    folder, counts = aligned
    moved = [{**row, "path": "/nowhere"} for row in rows]  # opening any video would fail
    assert align.align_corpus(moved, CropOptions(Path("no weights"), SETTINGS), folder / "work", tmp_path) == counts


def test_a_clip_whose_ffmpeg_was_killed_is_not_set_aside(
    rows: list[dict[str, Any]],
    aligned: tuple[Path, Mapping[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once set aside it would be missing from every later run, though nothing is wrong with it."""
    folder, _ = aligned
    work, row = tmp_path / "work", rows[0]
    work.mkdir()
    script = tmp_path / "ffmpeg"
    script.write_text('#!/bin/sh\ncase "$*" in *file:*) kill -9 $$;; esac\n')
    script.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr("nrdfer.video.decode.ffmpeg_executable", lambda: str(script))
        with pytest.raises(MachineError, match="it is not excluded"):
            align.align_clips([row], OPTIONS, work)
    assert align.unfinished([row], work) == [row]
    align.align_clips([row], OPTIONS, work)
    assert align.unfinished([row], work) == []
    name = f"{row['clip_id']}.npy"
    assert (work / name).read_bytes() == (folder / "out" / name).read_bytes()


@pytest.mark.parametrize("left", ["empty", "half", "zeros", "lost"])
def test_crops_that_a_power_cut_left_unwritten_are_made_again(
    rows: list[dict[str, Any]],
    aligned: tuple[Path, Mapping[str, Any]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    left: str,
) -> None:
    """The clip's record was on the disk and its array was not."""
    folder, counts = aligned
    work, out = shutil.copytree(folder / "work", tmp_path / "work"), tmp_path / "out"
    out.mkdir()
    array = work / f"{rows[0]['clip_id']}.npy"
    whole = array.read_bytes()
    array.unlink()
    if left != "lost":
        half = whole[: len(whole) // 2]
        array.write_bytes({"empty": b"", "half": half, "zeros": half + bytes(len(whole) - len(half))}[left])
    # without the fault no video would be opened
    moved = [rows[0], *({**row, "path": "/nowhere"} for row in rows[1:])]
    assert align.align_corpus(moved, OPTIONS, work, out) == counts
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == {
        path.name: path.read_bytes() for path in (folder / "out").iterdir() if path.is_file()
    }
    assert array.name in caplog.text


def test_a_process_that_dies_costs_one_clip(
    rows: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, work = rows[0], tmp_path / "work"
    work.mkdir()
    white = tmp_path / "white.avi"
    with VideoWriter(white, 64, 64, 25, "mjpeg") as writer:
        for _ in range(4):
            writer.write(np.full((64, 64, 3), 255, np.uint8))
    bad = {**good, "clip_id": "white", "path": str(white)}
    monkeypatch.setattr("nrdfer.preprocessing.video_crops.load_detector", lambda *_, **__: dying_detector())
    # as left by a process that died over it: such a clip is not tried in this process
    (work / ".white.started").touch()
    align.align_clips([bad, good], OPTIONS, work)
    assert align.unfinished([bad, good], work) == []
    assert clip_files.is_written(work, good["clip_id"])
    assert "the process working on it died" in (work / "white.aside").read_text()


def test_no_face_follows_the_settings(tmp_path: Path) -> None:
    grey = tmp_path / "grey.avi"
    with VideoWriter(grey, 96, 64, 25, "mjpeg") as writer:
        for _ in range(6):
            writer.write(np.full((64, 96, 3), 90, np.uint8))
    row = {
        "corpus": "afew",
        "clip_id": "grey",
        "path": str(grey),
        "emotion": "fear",
        "split": "val",
        "sha256": "0" * 64,
    }
    weights = sample_weights("retinaface")
    outcomes = {}
    for policy in ("drop", "centre"):
        out = tmp_path / policy
        out.mkdir()
        options = CropOptions(weights, dataclasses.replace(SETTINGS, no_face=policy))
        outcomes[policy] = align.align_corpus([row], options, tmp_path / f"w{policy}", out)
    assert (outcomes["drop"]["clips"], outcomes["drop"]["set_aside"]) == (0, 1)
    assert (outcomes["centre"]["clips"], outcomes["centre"]["set_aside"]) == (1, 0)
    record, frames = clip_files.read_clip(tmp_path / "centre", "grey")
    assert frames.shape == (6, 112, 112, 3)
    assert not any(frame.has_face for frame in record.frames)
    with pytest.raises(NoFaceError, match="grey"):
        align.align_clips(
            [row], CropOptions(weights, dataclasses.replace(SETTINGS, no_face="fail")), tmp_path / "wfail"
        )


def test_enhancing_brightens_and_says_so(aligned: tuple[Path, Mapping[str, Any]], tmp_path: Path) -> None:
    source = aligned[0] / "out"
    for name in ("on", "off"):
        (tmp_path / name).mkdir()
    weights = sample_weights("enlightengan")
    counts = enhance.enhance_corpus(source, EnhanceOptions(weights=weights), tmp_path / "work", tmp_path / "on")
    assert counts["luma_after"] > counts["luma_before"]
    assert {record.enhanced for record, _ in clip_files.read_clips(tmp_path / "on")} == {"enlightengan-crop"}
    off = enhance.enhance_corpus(source, EnhanceOptions("none"), tmp_path / "work2", tmp_path / "off")
    assert off["luma_after"] == off["luma_before"] == counts["luma_before"]
    for (record, frames), (before, crops) in zip(
        clip_files.read_clips(tmp_path / "off"), clip_files.read_clips(source), strict=True
    ):
        assert record == before
        assert np.array_equal(frames, crops)
    # finished clips are not repeated
    again = tmp_path / "again"
    again.mkdir()
    assert (
        enhance.enhance_corpus(source, EnhanceOptions(weights=Path("no weights")), tmp_path / "work", again) == counts
    )
    # but those that a power cut has damaged are
    for work, mode, good in (("work", "crop", "on"), ("work2", "none", "off")):
        array = next((tmp_path / work).glob("*.npy"))
        data = array.read_bytes()
        array.unlink()  # its bytes may be the aligned clip's, too
        array.write_bytes(bytes(len(data)))
        mended = tmp_path / f"mended-{work}"
        mended.mkdir()
        enhance.enhance_corpus(source, EnhanceOptions(mode, weights), tmp_path / work, mended)
        assert (mended / array.name).read_bytes() == (tmp_path / good / array.name).read_bytes() == data


def test_whole_frames_are_enhanced_before_they_are_cropped(
    rows: list[dict[str, Any]], aligned: tuple[Path, Mapping[str, Any]], tmp_path: Path
) -> None:
    source, out = aligned[0] / "out", tmp_path / "out"
    out.mkdir()
    videos = {row["clip_id"]: Path(row["path"]) for row in rows}
    weights = sample_weights("enlightengan")
    options = EnhanceOptions("frame", weights, videos=videos, align=SETTINGS)
    enhance.enhance_corpus(source, options, tmp_path / "w", out)
    enhancer = Enhancer.load(weights)
    for (record, frames), (_, before) in zip(clip_files.read_clips(out), clip_files.read_clips(source), strict=True):
        assert record.enhanced == "enlightengan-frame"
        for frame, crop, facts in zip(iter_frames(videos[record.clip_id]), frames, record.frames, strict=True):
            matrix, _ = fit_template(facts.points, 112, SETTINGS.margin)
            assert np.array_equal(crop, warp(enhancer.enhance(frame[None])[0], matrix, 112))
        assert frames.mean() > before.mean() + 2
    with pytest.raises(ProfileError, match="'both'"):
        EnhanceOptions("both", weights)


def test_a_clip_of_another_length_leaves_nothing_behind(
    aligned: tuple[Path, Mapping[str, Any]], tmp_path: Path
) -> None:
    record, frames = next(clip_files.read_clips(aligned[0] / "out"))
    for wrong in (frames[:-1], [*frames, frames[0]], [frame[:10] for frame in frames]):
        with pytest.raises(ValueError, match=record.clip_id):
            clip_files.write_clip(tmp_path, record, wrong, 112)
        assert list(tmp_path.iterdir()) == []


class _Dying(FaceDetector):
    def detect_batch(self, pictures):  # type: ignore[no-untyped-def]
        if any(picture.min() > 240 for picture in pictures):
            os._exit(9)
        return super().detect_batch(pictures)


def dying_detector() -> FaceDetector:
    plain = load_detector(sample_weights("retinaface"), max_side=360)
    return _Dying(plain.net, plain.convention, max_side=360)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Stra\udcdfe.avi", UnicodeEncodeError("utf-8", "Stra\udcdfe.avi", 4, 5, "surrogates not allowed")),
        ("L.avi", OSError(errno.ENAMETOOLONG, "File name too long")),
        ("odd.avi", ZeroDivisionError("division by zero")),
    ],
)
def test_whatever_one_odd_video_or_its_name_raises_the_others_go_on(
    rows: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    good = {**rows[0], "note": "called so, because Stra\udcdfe.avi was there"}
    odd = {**rows[0], "clip_id": "odd", "path": str(tmp_path / name)}
    plan = video_crops.plan_clip

    def failing(video: Path, *arguments: Any) -> Any:
        if video.name == name:
            raise error
        return plan(video, *arguments)

    monkeypatch.setattr(video_crops, "plan_clip", failing)
    (tmp_path / "out").mkdir()
    counts = align.align_corpus([odd, good], OPTIONS, tmp_path / "work", tmp_path / "out")
    assert (counts["clips"], counts["set_aside"]) == (1, 1)
    ((clip_id, reason),) = clip_files.read_reasons(tmp_path / "out" / clip_files.EXCLUDED_CSV)
    assert clip_id == "odd"
    assert type(error).__name__ in reason and name.replace("\udcdf", "\\xdf") in reason
    ((_, note),) = clip_files.read_reasons(tmp_path / "out" / clip_files.NOTES)
    assert "Stra\\xdfe.avi" in note


def test_a_disk_that_cannot_be_written_is_no_fault_of_the_video(
    rows: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "x.npy"))

    monkeypatch.setattr(align, "write_clip", full)
    with pytest.raises(OSError, match="No space left"):
        align.align_clips(rows[:1], OPTIONS, tmp_path / "work")
    assert align.unfinished(rows[:1], tmp_path / "work") == rows[:1]


@pytest.mark.parametrize(
    ("shown", "frames", "few"), [(5, 166, False), (5, 167, True), (0, 600, False), (60, 600, False)]
)
def test_a_clip_with_a_glimpse_of_a_face_is_not_learnt_from(shown: int, frames: int, few: bool) -> None:
    records = [FrameRecord(index, has_face=index < shown) for index in range(frames)]
    assert bool(align.too_few(records)) == few
    if few:
        assert "the face is in 5 of 167 frames, less than 3%" in align.too_few(records)


def test_a_long_clip_with_a_false_detection_is_set_aside(
    rows: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(align, "LEAST_SHARE", 2.0)  # so that every face is too little
    (tmp_path / "out").mkdir()
    counts = align.align_corpus(rows[:1], OPTIONS, tmp_path / "work", tmp_path / "out")
    assert (counts["clips"], counts["set_aside"]) == (0, 1)
    assert "a false detection" in (tmp_path / "out" / "set_aside.csv").read_text()
