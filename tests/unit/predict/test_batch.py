"""Folders of videos: a bad one stops nobody, what is there is not made again, and nothing foreign is replaced."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import os
import pickle
from pathlib import Path

import cv2
import pytest

from nrdfer.core.csv_cells import original
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError, NotOursError, NrdferError, StoreError
from nrdfer.core.own_files import NOTES
from nrdfer.core.plain_text import name_of
from nrdfer.predict.batch import predict_videos
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.result import Prediction
from nrdfer.predict.rows import Row
from nrdfer.predict.video_output import ANNOTATED, FRAMES, PEOPLE, PREDICTION, STRIP, TIMELINE, Work, predict_one
from nrdfer.predict.windows import WindowSettings
from nrdfer.video.discovery import list_sources
from tests.unit.acting import EMPTY, FACE, act

pytestmark = pytest.mark.slow

FILES = {ANNOTATED, FRAMES, PEOPLE, PREDICTION, STRIP, TIMELINE}


@pytest.fixture(scope="module")
def filled(
    tmp_path_factory: pytest.TempPathFactory, predictor: Predictor, acted_video: Path
) -> tuple[Path, Path, list[Row]]:
    """A folder of three videos, two good, and what it gave."""
    folder, out = tmp_path_factory.mktemp("videos"), tmp_path_factory.mktemp("out")
    (folder / "acted.mp4").write_bytes(acted_video.read_bytes())
    (folder / "broken.mp4").write_bytes(acted_video.read_bytes()[:-9000])
    act(folder / "wall.mp4", face=0, empty=20)
    told: list[Row] = []
    rows = predict_videos([folder], Work(predictor, out), on_row=told.append)
    assert told == rows
    return folder, out, rows


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_corrupt_file_stops_nobody(filled: tuple[Path, Path, list[Row]]) -> None:
    _, out, rows = filled
    assert [(row.clip_id, row.status) for row in rows] == [
        ("acted", "ok"),
        ("broken", "unreadable"),
        ("wall", "no_face"),
    ]
    assert "cut short" in rows[1].reason
    assert "no face was detected in any of 20 frames" in rows[2].reason
    assert {path.name for path in out.iterdir()} == {
        *("acted", "wall", "predictions.csv", "predictions.json", "people.csv", ".lock", NOTES)
    }
    assert {path.name for path in (out / "acted").iterdir()} == FILES == {p.name for p in (out / "wall").iterdir()}
    table = read_csv(out / "predictions.csv")
    assert [(row["status"], row["emotion"]) for row in table] == [
        ("ok", rows[0].emotion),
        ("unreadable", ""),
        ("no_face", ""),
    ]
    assert json.loads((out / "predictions.json").read_text())["videos"][1]["reason"] == rows[1].reason


def test_tables_agree_with_each_other(filled: tuple[Path, Path, list[Row]], predicted: Prediction) -> None:
    _, out, rows = filled
    told = json.loads((out / "acted" / PREDICTION).read_text())
    timeline, frames = read_csv(out / "acted" / TIMELINE), read_csv(out / "acted" / FRAMES)
    assert len(frames) == told["frames"] == FACE + EMPTY
    assert len(timeline) == len(told["timeline"]) == len(predicted.windows)
    assert told["answer"]["emotion"] == rows[0].emotion
    assert list(told["answer"]["probabilities"]) == list(EMOTIONS)
    assert told["answer"]["logits"]["fear"] == pytest.approx(rows[0].answer["logit_fear"])
    for line, window in zip(timeline, told["timeline"], strict=True):
        assert (float(line["start_s"]), line["status"]) == (
            pytest.approx(window["start_s"], abs=1e-6),
            window["status"],
        )
        assert line["emotion"] == ("" if window["answer"] is None else window["answer"]["emotion"])
    for line in frames:
        assert line["emotion"] == timeline[int(line["window"])]["emotion"]
        assert (line["x1"] == "") == (line["nose_x"] == "") == (line["has_face"] == "False")
    assert told["preprocessing"]["retinaface"]["name"] == "sample"
    assert told["windows"] == {"window": 1.0, "stride": 0.4, "least_face": 0.25, "least_share": 0.03}
    assert told["model"]["weights_sha256"]


def test_the_strip_is_a_picture(filled: tuple[Path, Path, list[Row]]) -> None:
    _, out, _ = filled
    for clip in ("acted", "wall"):
        picture = cv2.imread(str(out / clip / STRIP))
        assert picture is not None
        assert picture.shape[1] > 1000
        assert picture.std() > 20


def test_what_is_there_is_not_made_again(
    filled: tuple[Path, Path, list[Row]], predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out, rows = filled
    asked: list[str] = []
    real = Predictor.predict

    def spy(self: Predictor, video: Path) -> Prediction:
        asked.append(video.name)
        return real(self, video)

    monkeypatch.setattr(Predictor, "predict", spy)
    again = predict_videos([folder], Work(predictor, out, annotate=False))
    assert asked == ["broken.mp4"]
    assert [row.repeated for row in again] == [True, False, True]
    assert dataclasses.replace(again[0], repeated=False) == rows[0]
    (out / "acted" / TIMELINE).unlink()  # somebody tidied up
    other = Predictor(predictor.model, predictor.cropper, WindowSettings(2, 1), device="cpu")
    predict_videos([folder / "acted.mp4"], Work(predictor, out, annotate=False))
    predict_videos([folder / "wall.mp4"], Work(other, out, annotate=False))
    assert asked == ["broken.mp4", "acted.mp4", "wall.mp4"]
    assert len(read_csv(out / "predictions.csv")) == 1


def test_an_answer_to_something_else_does_not_stay(predictor: Predictor, tmp_path: Path) -> None:
    video, out = act(tmp_path / "a.mp4", face=8, empty=0), tmp_path / "out"
    assert predict_videos([video], Work(predictor, out, annotate=False))[0].status == "ok"
    video.write_bytes(b"")
    assert predict_videos([video], Work(predictor, out, annotate=False))[0].status == "unreadable"
    assert not (out / "a").exists()
    video.unlink()
    with pytest.raises(CorpusError, match="does not exist"):
        predict_videos([video], Work(predictor, out))


def test_own_results_are_no_videos_to_answer(predictor: Predictor, tmp_path: Path) -> None:
    act(tmp_path / "a.mp4", face=8, empty=0)
    act(tmp_path / "growing.mp4", face=8, empty=0)
    work = Work(predictor, tmp_path / "out")
    for _ in range(2):
        rows = predict_videos([tmp_path], work, leave_out=[tmp_path / "growing.mp4"])
        assert [row.clip_id for row in rows] == ["a"]
    assert (tmp_path / "out" / "a" / ANNOTATED).is_file()


def test_predict_refuses_a_folder_it_did_not_make(predictor: Predictor, tmp_path: Path) -> None:
    videos, out = tmp_path / "videos", tmp_path / "out"
    for name in ("a.mp4", "b.mp4"):
        act(videos / name, face=8, empty=0)
    (out / "a").mkdir(parents=True)
    (out / "a" / "thesis.tex").write_text("years of work")
    (out / "a" / PREDICTION).write_text("{}")  # a name of ours makes nothing ours
    rows = predict_videos([videos], Work(predictor, out, annotate=False))
    assert [row.status for row in rows] == ["refused", "ok"]
    assert "was not made by nrdfer" in rows[0].reason
    assert (out / "a" / "thesis.tex").read_text() == "years of work"
    assert (out / "a" / PREDICTION).read_text() == "{}"
    assert [row["status"] for row in read_csv(out / "predictions.csv")] == ["refused", "ok"]


def test_an_answer_that_somebody_worked_on_is_not_replaced(predictor: Predictor, tmp_path: Path) -> None:
    video, out = act(tmp_path / "a.mp4", face=8, empty=0), tmp_path / "out"
    predict_videos([video], Work(predictor, out, annotate=False))
    with (out / "a" / TIMELINE).open("a") as file:
        file.write("my remarks\n")
    other = Predictor(predictor.model, predictor.cropper, WindowSettings(2, 1), device="cpu")
    (row,) = predict_videos([video], Work(other, out, annotate=False))
    assert (row.status, "was changed since" in row.reason) == ("refused", True)
    assert (out / "a" / TIMELINE).read_text().endswith("my remarks\n")
    with (out / "predictions.csv").open("a") as file:
        file.write("my remarks\n")
    with pytest.raises(NotOursError, match=r"predictions\.csv is there and was changed since"):
        predict_videos([video], Work(predictor, out, annotate=False))


def test_a_place_that_cannot_receive_answers_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    video = act(tmp_path / "v" / "a.mp4", face=8, empty=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written to"):
        predict_videos([video], Work(predictor, tmp_path / "file"))
    with pytest.raises(StoreError, match="would receive results"):
        predict_videos([tmp_path / "v"], Work(predictor, tmp_path / "v"))
    assert [path.name for path in (tmp_path / "v").iterdir()] == ["a.mp4"]


def test_what_a_killed_process_left_is_cleared(predictor: Predictor, tmp_path: Path) -> None:
    video, out = act(tmp_path / "a.mp4", face=8, empty=0), tmp_path / "out"
    left, mine = out / ".nrdfer-unfinished-1", out / ".nrdfer-unfinished-mine"
    for folder in (left, mine):
        (folder / "files").mkdir(parents=True)
    former = left / "nrdfer.json"
    former.write_text(json.dumps({"host": "any", "process": "999999999:1.00"}))  # as earlier releases wrote it
    os.utime(former, (1, 1))
    predict_videos([video], Work(predictor, out, annotate=False))
    assert (left.exists(), mine.exists()) == (False, True)


def test_what_processes_are_sent_answers_the_same(
    filled: tuple[Path, Path, list[Row]], predictor: Predictor, tmp_path: Path
) -> None:
    """Worker processes get a pickled copy of everything; `nrdfer.runtime.process_pool` has a test of its own."""
    folder, _, rows = filled
    work = pickle.loads(pickle.dumps(Work(predictor, tmp_path / "out", annotate=False)))  # noqa: S301
    (source,) = list_sources([folder / "acted.mp4"])
    again = predict_one(source, work)
    assert again.emotion == rows[0].emotion
    assert again.answer["logit_fear"] == pytest.approx(rows[0].answer["logit_fear"], abs=1e-5)
    with pytest.raises(ValueError, match="workers must be 1 or more"):
        predict_videos([folder], Work(predictor, tmp_path / "out"), workers=0)


def test_strip_and_annotated_video_decide_nothing(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise NrdferError("Unknown encoder 'libx264'")

    def odd(*_: object) -> None:
        raise KeyError("font")

    video, out = act(tmp_path / "a.mp4", face=8, empty=0), tmp_path / "out"
    monkeypatch.setattr("nrdfer.predict.video_output.write_annotated", broken)
    monkeypatch.setattr("nrdfer.predict.video_output.draw_strip", odd)
    (row,) = predict_videos([video], Work(predictor, out))
    assert (row.status, row.emotion is None) == ("ok", False)
    assert "annotated.mp4 could not be made: Unknown encoder 'libx264'" in row.note
    assert "strip.png could not be made: KeyError" in row.note
    assert json.loads((out / "a" / PREDICTION).read_text())["note"] == row.note
    assert {path.name for path in (out / "a").iterdir()} == {FRAMES, PEOPLE, PREDICTION, TIMELINE}


def test_a_full_disk_while_decorating_is_told_as_such(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    video, out = act(tmp_path / "a.mp4", face=8, empty=0), tmp_path / "out"
    monkeypatch.setattr("nrdfer.predict.video_output.draw_strip", full)
    with pytest.raises(StoreError, match="No space left on device"):
        predict_videos([video], Work(predictor, out))
    assert not (out / "a").exists()


def test_an_earlier_answer_stays_until_the_new_one_is_there(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, out = act(tmp_path / "a.mp4", face=8, empty=0), tmp_path / "out"
    predict_videos([video], Work(predictor, out, annotate=False))
    before = (out / "a" / PREDICTION).read_bytes()
    other = Predictor(predictor.model, predictor.cropper, WindowSettings(2, 1), device="cpu")
    with monkeypatch.context() as failing:
        failing.setattr(Predictor, "predict", lambda *_: Prediction("unreadable", "no memory"))
        assert predict_videos([video], Work(other, out, annotate=False))[0].status == "unreadable"
    assert (out / "a" / PREDICTION).read_bytes() == before
    with monkeypatch.context() as failing:
        failing.setattr("nrdfer.predict.video_output.file_sha256", _denied)
        assert predict_videos([video], Work(predictor, out, annotate=False))[0].status == "unreadable"
    assert (out / "a" / PREDICTION).read_bytes() == before


def _denied(path: Path) -> str:
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def test_odd_names_have_a_row_each_and_no_cell_is_a_formula(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, folder, out = act(tmp_path / "a.mp4", face=8, empty=0), tmp_path / "in", tmp_path / "out"
    names = [b"Stra\xdfe.mp4", rb"Stra\xdfe.mp4", b"L" * 251 + b".mp4", b"=1+1.mp4"]
    folder.mkdir()
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(video.read_bytes())
    for repeated in (False, True):
        rows = predict_videos([folder], Work(predictor, out, annotate=False))
        assert [(row.status, row.repeated) for row in rows] == [("ok", repeated)] * len(names)
    table = read_csv(out / "predictions.csv")
    found = {os.fsencode(Path(name_of(original(row["video"]))).name) for row in table}
    told = json.loads((out / "predictions.json").read_text(encoding="utf-8"))["videos"]
    assert found == {os.fsencode(Path(name_of(row["video"])).name) for row in told} == set(names)
    monkeypatch.chdir(folder)
    (row,) = predict_videos([Path("=1+1.mp4")], Work(predictor, out, annotate=False))
    assert read_csv(out / "predictions.csv")[0]["video"] == "'=1+1.mp4"
    assert original("'=1+1.mp4") == row.video


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (PREDICTION, b"[" * 100_000),
        (PREDICTION, None),  # one word is another
        (TIMELINE, b""),
        (STRIP, b""),
    ],
)
def test_an_answer_that_was_changed_is_not_repeated_and_not_replaced(
    filled: tuple[Path, Path, list[Row]], predictor: Predictor, name: str, content: bytes | None
) -> None:
    folder, out, _ = filled
    videos, work = [folder / "acted.mp4", folder / "wall.mp4"], Work(predictor, out, annotate=False)
    predict_videos(videos, work)
    path = out / "wall" / name
    before = path.read_bytes()
    changed = before.replace(b'"no_face"', b'"no_fase"') if content is None else content
    path.write_bytes(changed)
    try:
        again = predict_videos(videos, work)
        assert [(row.status, row.repeated) for row in again] == [("ok", True), ("refused", False)]
        assert "wall is there and was changed since nrdfer made it; it is left unchanged" in again[1].reason
        assert path.read_bytes() == changed
    finally:
        path.write_bytes(before)


def test_a_folder_that_may_not_be_opened_is_its_videos_row(
    filled: tuple[Path, Path, list[Row]], predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out, _ = filled
    videos, work = [folder / "acted.mp4", folder / "wall.mp4"], Work(predictor, out, annotate=False)
    predict_videos(videos, work)
    real_stat, real_list = os.stat, os.listdir

    def denied(path: str | Path) -> None:
        if "acted" in (Path(path).name, Path(path).parent.name) and str(path).startswith(str(out)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    def stat(path: str | Path, **options: bool) -> os.stat_result:
        if isinstance(path, str | Path) and Path(path).parent.name == "acted":
            denied(path)
        return real_stat(path, **options)

    def listdir(path: str | Path) -> list[str]:
        denied(path)
        return real_list(path)

    monkeypatch.setattr("os.stat", stat)
    monkeypatch.setattr("os.listdir", listdir)
    again = predict_videos(videos, work)
    assert [(row.status, row.repeated) for row in again] == [("refused", False), ("no_face", True)]
    assert "acted is there and cannot be examined (Permission denied)" in again[0].reason
