"""Videos of the demo: their results are found by their visitor alone, and every file goes in time."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.demo.session import Progress, Refused, Result, Sessions
from nrdfer.predict.model import open_model
from nrdfer.predict.predictor import Predictor
from nrdfer.serving.limits import Limits
from tests.unit.acting import act


@pytest.fixture(scope="module")
def predictor(network_folder: Path, sample_shell: None) -> Predictor:
    model = open_model(str(network_folder))
    return Predictor.load(model, device="cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("uploads", "results"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_a_video_is_predicted_shown_and_forgotten(predictor: Predictor, folder: Path) -> None:
    upload = act(folder / "uploads" / "a video.mp4", face=12, empty=0)
    sessions = Sessions(predictor, folder / "results", Limits())
    *before, found = sessions.analyse("me", upload)
    assert isinstance(found, Result) and all(isinstance(state, Progress) for state in before)
    assert not upload.exists()
    assert found.name == "a video.mp4" and found.people[0]["person"] == 1
    assert sessions.of("me") is found and sessions.of("other") is None
    assert {"annotated.mp4", "prediction.json", "timeline.csv"} <= set(found.files)
    assert sessions.file(found.token, "timeline.csv") == found.folder / "timeline.csv"
    for token, name in ((found.token, "../x"), (found.token, ".nrdfer-made"), ("guess", "timeline.csv"), ("é", "x")):
        assert sessions.file(token, name) is None
    sessions.forget("me")
    assert sessions.of("me") is None and list((folder / "results").iterdir()) == []


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(), "are of no video format that is read here"),
        (Limits(video_bytes=100), "bytes, more than the 100 allowed here"),
        (Limits(frames=5), "frames"),
        (Limits(duration=0.1), "seconds, more than"),
    ],
    ids=["nonsense", "bytes", "frames", "duration"],
)
def test_a_video_that_cannot_be_used_has_one_reason_and_leaves_nothing(
    predictor: Predictor, folder: Path, acted_video: Path, limits: Limits, words: str
) -> None:
    upload = folder / "uploads" / "b.mp4"
    if limits == Limits():
        upload.write_bytes(b"\0nonsense" * 500)
    else:
        shutil.copy(acted_video, upload)
    sessions = Sessions(predictor, folder / "results", limits)
    *_, found = sessions.analyse("me", upload)
    assert isinstance(found, Refused)
    assert str(folder) not in found.reason and "Error" not in found.reason
    assert words in found.reason
    assert not upload.exists() and list((folder / "results").iterdir()) == []
    assert sessions.of("me") is None


def test_a_visitor_who_leaves_meanwhile_leaves_nothing(predictor: Predictor, folder: Path) -> None:
    upload = act(folder / "uploads" / "c.mp4", face=12, empty=0)
    sessions = Sessions(predictor, folder / "results", Limits())
    states = sessions.analyse("me", upload)
    assert isinstance(next(states), Progress)
    states.close()  # type: ignore[attr-defined]
    sessions.close()
    assert not upload.exists() and list((folder / "results").iterdir()) == [] and sessions.of("me") is None


def test_a_visitor_who_leaves_is_not_waited_for(
    predictor: Predictor, folder: Path, acted_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        begun.set()
        assert go_on.wait(60)
        raise UnreadableVideoError("it ends")

    monkeypatch.setattr("nrdfer.demo.session.predict_one", slow)
    sessions = Sessions(predictor, folder / "results", Limits())
    upload = Path(shutil.copy(acted_video, folder / "uploads" / "d.mp4"))
    states = sessions.analyse("me", upload)
    assert isinstance(next(states), Progress)
    assert begun.wait(60)
    states.close()  # type: ignore[attr-defined]  # returns although the video is still being processed
    assert list((folder / "results").iterdir()) != []
    go_on.set()
    sessions.close()
    assert list((folder / "results").iterdir()) == []


def test_one_upload_of_two_visitors_stays_until_both_have_it(
    predictor: Predictor, folder: Path, acted_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(*_: object) -> None:
        raise UnreadableVideoError("it ends")

    monkeypatch.setattr("nrdfer.demo.session.predict_one", unread)
    sessions = Sessions(predictor, folder / "results", Limits())
    upload = Path(shutil.copy(acted_video, folder / "uploads" / "e.mp4"))
    for visitor in ("me", "you", "her"):
        sessions.arrived(visitor, upload)
    list(sessions.analyse("me", upload))
    assert upload.exists()
    list(sessions.analyse("you", upload))
    assert upload.exists()
    sessions.leave("her")  # without an analysis
    assert not upload.exists()
