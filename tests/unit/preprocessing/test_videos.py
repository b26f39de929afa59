"""Many videos to crops on disk: bad ones are set aside, workers change nothing."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from nrdfer.core.errors import CorpusError, NotOursError, StoreError
from nrdfer.core.own_files import NOTES
from nrdfer.core.plain_text import name_of
from nrdfer.faces.detector import FaceDetector
from nrdfer.faces.load_detector import load_detector
from nrdfer.preprocessing.videos import AlignSettings, CropOptions, preprocess_videos
from nrdfer.video.constant_rate_writer import VideoWriter
from nrdfer.weights.catalogue import sample_weights

pytestmark = pytest.mark.slow


class DyingDetector(FaceDetector):
    """Kills its process when it meets a picture that is all white."""

    def detect_batch(self, pictures):  # type: ignore[no-untyped-def]
        if any(picture.min() > 240 for picture in pictures):
            os._exit(9)
        return super().detect_batch(pictures)


def write_video(path: Path, levels: list[int], size: tuple[int, int] = (200, 160)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, *size, 25, "mjpeg") as writer:
        for level in levels:
            frame = np.full((size[1], size[0], 3), level, np.uint8)
            frame[:, : size[0] // 2] = level // 2
            writer.write(frame)
    return path


@pytest.fixture(scope="module")
def weights(shared_dir: Path) -> Path:
    return shared_dir / "weights" / "retinaface_mobilenet0.25.pth"


def test_bad_videos_are_set_aside_and_the_rest_goes_on(tmp_path: Path, shared_dir: Path, weights: Path) -> None:
    corpus = tmp_path / "in"
    single = shared_dir / "clips" / "pyfeat_single_face.mp4"
    (corpus / "deep").mkdir(parents=True)
    (corpus / "deep" / "odd name.v1.mp4").write_bytes(single.read_bytes())
    (corpus / "broken.mp4").write_bytes(single.read_bytes()[:30_000])
    write_video(corpus / "grey.avi", [100] * 6)
    out = tmp_path / "out"
    calls: list[tuple[int, int]] = []
    summaries = preprocess_videos(
        [corpus], CropOptions(weights, AlignSettings()), out, tmp_path / "r.json", lambda a, b: calls.append((a, b))
    )
    assert [(s.clip, s.status) for s in summaries] == [
        ("broken.mp4", "unreadable"),
        ("odd name.v1.mp4", "ok"),
        ("grey.avi", "no_face"),
    ]
    assert calls == [(1, 3), (2, 3), (3, 3)]
    rows = json.loads((tmp_path / "r.json").read_text())
    assert [set(row) >= {"clip", "frames", "frames_with_face", "status", "reason"} for row in rows] == [True] * 3
    assert (rows[1]["frames"], rows[1]["frames_with_face"], rows[1]["reason"]) == (72, 72, "")
    assert rows[0]["reason"]
    assert rows[2]["reason"]
    assert sorted(p.name for p in out.iterdir()) == [NOTES, "grey.png", "odd-name-v1", "odd-name-v1.png"]
    crops = sorted((out / "odd-name-v1").glob("*.jpg"))
    assert len(crops) == 72
    first = cv2.imread(str(crops[0]))
    assert first is not None
    assert first.shape == (112, 112, 3)
    records = json.loads((out / "odd-name-v1" / "records.json").read_text())
    assert len(records) == 72
    # a second run replaces the first
    again = preprocess_videos([corpus], CropOptions(weights, AlignSettings(size=64)), out)
    assert [s.status for s in again] == [s.status for s in summaries]
    small = cv2.imread(str(crops[0]))
    assert small is not None
    assert small.shape == (64, 64, 3)
    assert sorted(p.name for p in out.iterdir()) == [NOTES, "grey.png", "odd-name-v1", "odd-name-v1.png"]


def test_workers_do_not_change_results_and_may_die(tmp_path: Path, weights: Path, shared_dir: Path) -> None:
    plain = load_detector(weights)
    dying = DyingDetector(plain.net, plain.convention)
    single = shared_dir / "clips" / "pyfeat_single_face.mp4"
    white = tmp_path / "white.avi"
    with VideoWriter(white, 64, 64, 25, "mjpeg") as writer:
        for _ in range(4):
            writer.write(np.full((64, 64, 3), 255, np.uint8))
    two = preprocess_videos([single, white], CropOptions(dying, AlignSettings(), workers=2), tmp_path / "two")
    assert [s.status for s in two] == ["ok", "unreadable"]
    assert "died" in two[1].reason
    one = preprocess_videos([single], CropOptions(plain, AlignSettings()), tmp_path / "one")
    assert one[0].frames_with_face == two[0].frames_with_face == 72
    for path in sorted((tmp_path / "one" / "pyfeat_single_face").glob("*.jpg"))[::10]:
        assert path.read_bytes() == (tmp_path / "two" / "pyfeat_single_face" / path.name).read_bytes()


def test_nothing_to_do_is_an_error(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(CorpusError, match="no video"):
        preprocess_videos([tmp_path / "in"], CropOptions(weights, AlignSettings()), tmp_path / "out")
    with pytest.raises(ValueError, match="workers"):
        CropOptions(weights, AlignSettings(), workers=0)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def blind() -> FaceDetector:
    """The sample's detector, which finds nobody in grey; `CENTRED` keeps such clips."""
    return load_detector(sample_weights("retinaface"), max_side=64)


CENTRED = AlignSettings(size=16, no_face="centre")


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_preprocess_refuses_a_folder_it_did_not_make(tmp_path: Path, blind: FaceDetector) -> None:
    videos = [write_video(tmp_path / "in" / f"{name}.avi", [100] * 3, (64, 48)) for name in ("a", "b", "c", "d")]
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    (out / "a" / "0000.jpg").write_text("a photograph of mine")
    (out / "b.png").write_text("a drawing of mine")
    (tmp_path / "mine").mkdir()
    (out / "c").symlink_to(tmp_path / "mine")
    before = everything(out)
    rows = preprocess_videos(videos, CropOptions(blind, CENTRED), out, tmp_path / "t.json")
    assert [row.status for row in rows] == ["refused", "refused", "refused", "centred"]
    assert all("was not made by nrdfer" in row.reason for row in rows[:2])
    assert "is a link" in rows[2].reason
    assert before.items() <= everything(out).items()
    assert (out / "c").is_symlink()
    assert list((tmp_path / "mine").iterdir()) == []
    assert [row["status"] for row in json.loads((tmp_path / "t.json").read_text())] == [row.status for row in rows]
    # only the user's are refused again
    again = preprocess_videos(videos, CropOptions(blind, CENTRED), out, tmp_path / "t.json")
    assert [row.status for row in again] == ["refused", "refused", "refused", "centred"]


def test_crops_that_somebody_worked_on_are_not_replaced(tmp_path: Path, blind: FaceDetector) -> None:
    video, out = write_video(tmp_path / "in" / "a.avi", [100] * 3, (64, 48)), tmp_path / "out"
    preprocess_videos([video], CropOptions(blind, CENTRED), out)
    (out / "a" / "0001.jpg").write_bytes(b"retouched")
    before = everything(out)
    for settings in (CENTRED, AlignSettings(size=16)):  # crops, and none: those of an earlier run would be removed
        (row,) = preprocess_videos([video], CropOptions(blind, settings), out)
        assert (row.status, "was changed since" in row.reason) == ("refused", True)
        assert everything(out) == before
    video.write_bytes(b"nonsense")
    (row,) = preprocess_videos([video], CropOptions(blind, CENTRED), out)
    assert row.status == "refused"
    assert everything(out) == before


def test_the_table_of_preprocess_replaces_its_own_only(tmp_path: Path, blind: FaceDetector) -> None:
    video = write_video(tmp_path / "in" / "a.avi", [100] * 2, (64, 48))
    (tmp_path / "mine.json").write_text("{}")
    with pytest.raises(NotOursError, match=r"mine\.json is there and was not made"):
        preprocess_videos([video], CropOptions(blind, CENTRED), tmp_path / "out", tmp_path / "mine.json")
    with pytest.raises(NotOursError, match=r"a\.avi is there"):
        preprocess_videos([video], CropOptions(blind, CENTRED), tmp_path / "out", video)
    with pytest.raises(StoreError, match="it is a file, but a folder is needed"):
        preprocess_videos([video], CropOptions(blind, CENTRED), video)
    assert not (tmp_path / "out").exists()
    for _ in range(2):
        preprocess_videos([video], CropOptions(blind, CENTRED), tmp_path / "out", tmp_path / "t.json")


NAMES = [
    b"Stra\xdfe.avi", rb"Stra\xdfe.avi", "Straße.avi".encode(), b"\xff\xfe.avi", b"L" * 251 + b".avi",
    b"L" * 250 + b"M.avi", b"=cmd.avi", b"new\nline.avi", b"\x1b[31m.avi", b"good.avi",
]  # fmt: skip


def test_names_that_are_not_utf8_or_very_long_have_a_row_each(tmp_path: Path, blind: FaceDetector) -> None:
    video = write_video(tmp_path / "v.avi", [100] * 2, (64, 48))
    (tmp_path / "in").mkdir()
    for name in NAMES:
        (tmp_path / "in" / os.fsdecode(name)).write_bytes(video.read_bytes())
    out, told = tmp_path / "out", tmp_path / "t.json"
    for _ in range(2):
        rows = preprocess_videos([tmp_path / "in"], CropOptions(blind, CENTRED), out, told)
        assert {row.status for row in rows} == {"centred"}, [row.reason for row in rows]
    written = json.loads(told.read_text(encoding="utf-8"))
    assert {os.fsencode(name_of(row["clip"])) for row in written} == set(NAMES)
    assert {name_of(row["source"]) for row in written} == {str(path) for path in (tmp_path / "in").iterdir()}
    assert len({row["clip"] for row in written}) == len({row["clip_id"] for row in written}) == len(NAMES)
    for row in written:
        assert len(list((out / row["clip_id"]).glob("*.jpg"))) == 2
        assert (out / f"{row['clip_id']}.png").is_file()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (IndexError("list index out of range"), "IndexError: list index out of range"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), "Input/output error"),  # of a read: it names no file
    ],
    ids=["library", "disk"],
)
def test_a_video_that_cannot_be_worked_on_ends_no_folder(
    tmp_path: Path, blind: FaceDetector, error: Exception, words: str
) -> None:
    class Odd(FaceDetector):
        def detect_batch(self, pictures):  # type: ignore[no-untyped-def]
            if pictures[0].min() > 60:
                raise error
            return super().detect_batch(pictures)

    videos = [write_video(tmp_path / f"{name}.avi", [level] * 2, (64, 48)) for name, level in (("a", 200), ("b", 90))]
    rows = preprocess_videos(videos, CropOptions(Odd(blind.net, blind.convention), CENTRED), tmp_path / "out")
    assert [row.status for row in rows] == ["unreadable", "centred"]
    assert words in rows[0].reason


def test_a_folder_of_somebody_else_is_its_videos_row(
    tmp_path: Path, blind: FaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        write_video(tmp_path / "in" / f"{name}.avi", [100] * 4)
    (tmp_path / "out" / "b").mkdir(parents=True)
    real = os.listdir

    def denied(path: str | Path) -> list[str]:
        if Path(path).name == "b":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path)

    monkeypatch.setattr("os.listdir", denied)
    rows = preprocess_videos([tmp_path / "in"], CropOptions(blind, AlignSettings()), tmp_path / "out")
    assert [row.status for row in rows] == ["no_face", "refused", "no_face"]
    assert "cannot be examined (Permission denied)" in rows[1].reason
