"""One clip of a video is answered as an evaluation would; windows cover it, and nothing is guessed without a face."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from devtools.shard_files import write_shards
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import DeviceError
from nrdfer.core.records import ClipRecord
from nrdfer.data.settings import Sampling
from nrdfer.evaluation.inference import evaluate
from nrdfer.predict.inference import answers
from nrdfer.predict.model import TrainedModel
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.result import Prediction, prediction_to_dict
from nrdfer.predict.windows import WindowSettings
from nrdfer.shards.reader import ShardReader
from tests.unit.acting import EMPTY, FACE, act

LOGITS = [f"logit_{k}" for k in range(7)]

pytestmark = pytest.mark.slow


def test_the_timeline_covers_the_video_and_gaps_are_not_guessed(predicted: Prediction) -> None:
    assert (predicted.status, len(predicted.records)) == ("ok", FACE + EMPTY)
    assert predicted.frames_with_face == pytest.approx(FACE, abs=1)
    assert predicted.times is not None
    assert (predicted.times.starts[0], predicted.times.end) == (0.0, 4.0)
    assert predicted.windows[0].window.start == 0
    assert predicted.windows[-1].window.end == 4.0
    for row in predicted.windows:
        share = sum(predicted.records[i].has_face for i in row.window.frames) / len(row.window.frames)
        assert (row.answer is not None) == (share >= 0.25)
        assert row.status == ("ok" if row.answer else "no_face")
        if row.answer is not None:
            assert set(row.answer.frames) <= set(row.window.frames)
            assert all(predicted.records[frame].has_face for frame in row.answer.frames)
            assert sum(row.answer.probabilities) == pytest.approx(1, abs=1e-5)
            assert sum(row.answer.attention) == pytest.approx(1, abs=1e-5)
    assert {row.status for row in predicted.windows} == {"ok", "no_face"}
    speaking = predicted.window_of_frames()
    assert speaking == sorted(speaking)
    assert set(speaking) == set(range(len(predicted.windows)))
    looked = predicted.attention_of_frames()
    assert all(value is None for value in looked[-20:])
    assert np.mean([value for value in looked if value is not None]) == pytest.approx(1, abs=0.35)


def test_the_face_is_where_it_was_painted(predicted: Prediction) -> None:
    for i in (0, 20, 40):
        box = predicted.records[i].box
        assert box is not None
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        assert abs(x - (96 + i // 4)) < 8
        assert abs(y - 69) < 14
        assert 45 < box[3] - box[1] < 110


def test_the_whole_video_is_answered_as_an_evaluation_would(
    predictor: Predictor, predicted: Prediction, tmp_path: Path, acted_video: Path
) -> None:
    """Through shards, as the graph does it, and through the network in batches of another size."""
    from nrdfer.faces.align_clip import crops, plan_clip

    cropper = predictor.cropper
    plan = plan_clip(acted_video, cropper.detector, cropper.preprocessing.align)
    assert cropper.enhancer is not None
    frames = np.stack(list(cropper.enhancer.stream(crops(plan, 112))))
    clips = [
        (ClipRecord("afew", f"c{i}", EMOTIONS[i % 7], "val", len(frames), "0" * 64), np.roll(frames, i, axis=0))
        for i in range(5)
    ]
    (tmp_path / "shards").mkdir()
    write_shards(clips, tmp_path / "shards", prefix="afew", clips_per_shard=8, jpeg_quality=95)
    with ShardReader(tmp_path / "shards") as reader:
        table = evaluate(predictor.network, reader, [record.clip_id for record, _ in clips])
    asked = Predictor(predictor.model, cropper, predictor.windows, device="cpu", answer="clip")
    answer = asked.predict(acted_video).answer
    assert answer is not None and answer.kind == "clip"
    np.testing.assert_allclose(table.loc[0, LOGITS].to_numpy(float), answer.logits, atol=1e-5, rtol=0)
    assert np.abs(table.loc[1, LOGITS].to_numpy(float) - answer.logits).max() > 1e-4  # it can tell
    assert table.loc[0, "predicted"] == answer.emotion
    assert bool(table.loc[0, "vetoed"]) == answer.vetoed


def test_answers_do_not_depend_on_the_batch(predictor: Predictor, predicted: Prediction) -> None:
    assert predicted.cropped is not None
    has_face = predicted.cropped.has_face
    clips = [[i for i in row.window.frames if has_face[i]] for row in predicted.windows if row.answer]
    one, many = (list(answers(predictor.network, Sampling(), predicted.cropped, clips, batch)) for batch in (1, 16))
    np.testing.assert_allclose([a.logits for a in one], [a.logits for a in many], atol=1e-5, rtol=0)


@pytest.mark.parametrize("strategy", ["ti", "linear"])
def test_interpolated_clips_are_told_by_their_nearest_frames(
    predictor: Predictor, predicted: Prediction, strategy: str
) -> None:
    assert predicted.cropped is not None
    kept = sorted(frame for frame in predicted.cropped.jpegs if frame < 40)
    (answer,) = answers(predictor.network, Sampling(strategy), predicted.cropped, [kept])
    assert answer.frames == tuple(kept[round(place)] for place in np.linspace(0, len(kept) - 1, 16))


def test_a_video_without_a_face_has_no_emotion(predictor: Predictor, tmp_path: Path) -> None:
    nobody = predictor.predict(act(tmp_path / "wall.mp4", face=0, empty=30))
    assert (nobody.status, nobody.answer, nobody.frames_with_face) == ("no_face", None, 0)
    assert "no face was detected in any of 30 frames" in nobody.reason
    assert [row.answer for row in nobody.windows] == [None] * len(nobody.windows)
    told = prediction_to_dict(nobody)
    assert told["answer"] is None
    assert [window["status"] for window in told["timeline"]] == ["no_face"] * len(nobody.windows)


def test_a_cut_video_is_told_and_raises_nothing(predictor: Predictor, acted_video: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(acted_video.read_bytes()[:-9000])
    told = predictor.predict(cut)
    assert told.status == "unreadable"
    assert "cut short" in told.reason


def test_a_video_of_hours_is_refused_before_work(
    predictor: Predictor, acted_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nrdfer.predict.crops.MAX_FRAMES", 90)
    assert "about 100 frames, more than the 90" in predictor.predict(acted_video).reason


def test_a_stretch_too_long_to_interpolate_is_told(
    predictor: Predictor, trained: TrainedModel, acted_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nrdfer.predict.inference.MAX_INTERPOLATED", 60)
    interpolating = dataclasses.replace(trained, sampling=Sampling("ti"))
    asked = Predictor(interpolating, predictor.cropper, WindowSettings(1, 1), device="cpu", answer="clip")
    told = asked.predict(acted_video)
    assert (told.status, told.answer) == ("unreadable", None)
    assert "100 frames is too long to be interpolated (at most 60)" in told.reason


def test_the_model_says_where_it_comes_from(trained: TrainedModel, network_folder: Path) -> None:
    assert "profile 'sample' of this shell" in trained.note
    assert trained.origin.address == str(network_folder)
    assert trained.origin.version is None


def test_a_full_gpu_is_not_the_videos_fault(
    predictor: Predictor, acted_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("nrdfer.predict.predictor.answers", full)
    with pytest.raises(DeviceError, match=r"the GPU has not enough free memory.*choose device: cpu"):
        predictor.predict(acted_video)


def test_a_glimpse_of_a_face_gives_no_emotion(predictor: Predictor, tmp_path: Path) -> None:
    glimpse = act(tmp_path / "glimpse.mp4", face=6, empty=300)
    found = predictor.predict(glimpse)
    assert (found.status, found.answer) == ("too_few_faces", None)
    assert found.frames_with_face == pytest.approx(6, abs=1)
    assert "too few for an answer: no window of 1 s shows it in 25% of its frames" in found.reason
    assert "looked for with score above" in found.reason


def test_a_close_up_in_a_long_video_is_answered_in_the_timeline_only(predictor: Predictor, tmp_path: Path) -> None:
    found = predictor.predict(act(tmp_path / "closeup.mp4", face=10, empty=590))
    assert any(row.answer for row in found.windows)
    assert (found.status, found.answer) == ("too_few_faces", None)
    assert "frames, less than 3% (see least_share), too few for an answer of the whole video" in found.reason
    assert "the timeline answers" in found.reason


def test_the_headline_is_what_the_timeline_shows_longest(predicted: Prediction) -> None:
    answer = predicted.answer
    assert answer is not None and answer.kind == "windows"
    speaking = predicted.window_of_frames()
    shown = [predicted.windows[window].emotion for window in speaking]
    named = [emotion for emotion in shown if emotion is not None]
    assert answer.emotion == max(set(named), key=named.count)
    assert answer.share == pytest.approx(shown.count(answer.emotion) / len(shown))
    assert answer.answered_share == pytest.approx(len(named) / len(shown))
    assert 0 <= answer.uncertainty <= 1 and not answer.calibrated


def test_a_temperature_calibrates_and_changes_no_emotion(
    predictor: Predictor, trained: TrainedModel, predicted: Prediction, acted_video: Path
) -> None:
    warm = dataclasses.replace(trained, temperature=4.0)
    found = Predictor(warm, predictor.cropper, predictor.windows, device="cpu").predict(acted_video)
    assert [row.emotion for row in found.windows] == [row.emotion for row in predicted.windows]
    for now, before in zip(found.windows, predicted.windows, strict=True):
        if now.answer is not None and before.answer is not None:
            assert now.answer.calibrated and now.answer.logits == pytest.approx(before.answer.logits)
            assert now.answer.uncertainty > before.answer.uncertainty


def test_a_video_that_breaks_a_library_is_unreadable(
    predictor: Predictor, acted_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(*_: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr("nrdfer.predict.predictor.frame_times", odd)
    found = predictor.predict(acted_video)
    assert (found.status, "IndexError: list index out of range" in found.reason) == ("unreadable", True)
