"""Other label sets than DFEW's: trained, stored, evaluated, drawn and served with their own names, neutral or none."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import ProfileError, TrainingError
from nrdfer.data.in_memory import MemorySource
from nrdfer.evaluation.apply_filter import decide, truth
from nrdfer.evaluation.filter_settings import Reading
from nrdfer.evaluation.inference import evaluate
from nrdfer.evaluation.plots import plot_confusion
from nrdfer.evaluation.protocols import fold_metrics
from nrdfer.evaluation.row_metrics import figures_of
from nrdfer.models.registry import resolve_settings
from nrdfer.models.saved_model import load_model, read_emotions
from nrdfer.models.trained_files import LAST, MODEL
from nrdfer.serving.emotion_model import EmotionModel, signature
from nrdfer.training.key import key_of
from tests.unit.training.tiny import RECIPE, SETTINGS, request, run, spots

SIX = tuple(name for name in EMOTIONS if name != "surprise")
ELEVEN = (*EMOTIONS, "contempt", "anxiety", "helplessness", "disappointment")
NO_NEUTRAL = ("joie_$1", "colère")
ONE_EPOCH = dataclasses.replace(RECIPE, epochs=1)
LABEL_SETS = {"six": SIX, "eleven": ELEVEN, "without neutral": NO_NEUTRAL}


@pytest.fixture(scope="module", params=list(LABEL_SETS))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MemorySource]:
    emotions = LABEL_SETS[request.param]
    folder, clips = tmp_path_factory.mktemp("trained"), spots(2 * len(emotions), emotions)
    half = len(emotions)
    settings = resolve_settings("nr-dfernet", {**SETTINGS, "emotions": emotions, "mu1": 0.2, "mu2": 0.4}).to_dict()
    ids = tuple(clips.clip_ids)
    recipe = dataclasses.replace(ONE_EPOCH, batch=2)
    run(clips, folder, recipe, model_settings=settings, train_ids=ids[:half], test_ids=ids[half:])
    return folder / "out", clips


def test_a_label_set_goes_from_training_to_figures(trained: tuple[Path, MemorySource], tmp_path: Path) -> None:
    out, clips = trained
    emotions = read_emotions(out / MODEL)
    model = load_model(out / MODEL, out / LAST)
    assert model.settings.emotions == emotions in LABEL_SETS.values()
    table = evaluate(model, clips, clips.clip_ids, details=True)
    assert table["emotion"].tolist() == list(emotions) * 2
    logits = table[[f"logit_{k}" for k in range(len(emotions))]].to_numpy()
    assert f"logit_{len(emotions)}" not in table
    assert table["predicted_unfiltered"].tolist() == [emotions[k] for k in logits.argmax(1)]
    metrics = fold_metrics(table, emotions)
    assert list(metrics["recalls"]) == list(emotions)
    assert np.shape(metrics["confusion"]) == (len(emotions), len(emotions))
    described = json.loads((out / MODEL).read_text())["settings"]
    for reading in (Reading(), Reading(sf=False), Reading(mu1=0.15)):
        answers = decide(table, described, reading)
        figures = figures_of({"x": (truth(table, emotions), answers)}, "honest", emotions, by_emotion=True)
        assert {figure.measure for figure in figures} == {"UAR", "WAR", *emotions}
    plot_confusion(table, emotions, tmp_path / "c.png", title="any")
    if "neutral" not in emotions:
        assert not table["vetoed"].any()
        assert table["predicted"].tolist() == table["predicted_unfiltered"].tolist()


def test_a_label_set_is_served_under_its_names(trained: tuple[Path, MemorySource]) -> None:
    out, clips = trained
    emotions = read_emotions(out / MODEL)
    served = EmotionModel()
    served.network = load_model(out / MODEL, out / LAST)
    crops = clips.frames(clips.clip_ids[0], range(16)).transpose(0, 3, 1, 2)[None] / np.float32(255)
    row = served.predict(None, crops).iloc[0]
    assert row["emotion"] in emotions
    assert [name for name in row.index if name.startswith("probability_")] == [f"probability_{e}" for e in emotions]
    outputs = signature(emotions, served.frames).outputs
    assert outputs is not None and outputs.input_names() == list(row.index)


def test_two_label_sets_in_one_training_are_refused(tmp_path: Path) -> None:
    clips = spots(21, (*EMOTIONS[:6], "calm"))
    with pytest.raises(TrainingError, match=r"clip 00006 is labelled 'calm', which is none of happiness, .*label sets"):
        run(clips, tmp_path, ONE_EPOCH)
    assert not (tmp_path / "out" / LAST).exists()


def test_the_seven_are_stored_as_they_always_were(tmp_path: Path) -> None:
    stored = resolve_settings("nr-dfernet", SETTINGS).to_dict()
    assert list(stored)[:3] == ["image_size", "frames", "classes"]
    assert stored["classes"] == 7 and "emotions" not in stored
    assert resolve_settings("nr-dfernet", stored).emotions == EMOTIONS
    other = resolve_settings("nr-dfernet", {**SETTINGS, "emotions": SIX}).to_dict()
    assert other["emotions"] == SIX and "classes" not in other
    asked = request(tmp_path)
    assert key_of(asked) != key_of(dataclasses.replace(asked, model_settings={**asked.model_settings, "emotions": SIX}))


@pytest.mark.parametrize("settings", [{"classes": 5}, {"classes": 7, "emotions": SIX}, {"classes": "many"}])
def test_a_number_of_classes_without_names_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ProfileError, match="the number of classes follows from the label set; leave it out"):
        resolve_settings("nr-dfernet", settings)
