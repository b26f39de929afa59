from __future__ import annotations

import json
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import WeightsError
from nrdfer.core.records import ClipRecord
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.frame_cache import open_cache
from nrdfer.data.in_memory import MemorySource
from nrdfer.evaluation.inference import evaluate, predict, predict_clips
from nrdfer.evaluation.plots import plot_confusion, plot_curves
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.models.saved_model import load_model, read_sampling
from nrdfer.models.snippet_filter import filter_logits, find_vetoes

LOGITS = [f"logit_{k}" for k in range(7)]

NEUTRAL = EMOTIONS.index("neutral")


@pytest.fixture(scope="module")
def source() -> MemorySource:
    rng = np.random.default_rng(0)
    clips = []
    for i in range(19):
        record = ClipRecord("dfew", f"{i:05d}", EMOTIONS[i % 7], "", 17 + i, "0" * 64)
        clips.append((record, rng.integers(0, 256, (17 + i, 40, 40, 3), dtype=np.uint8)))
    return MemorySource(clips)


@pytest.fixture(scope="module")
def model() -> NRDFERNet:
    torch.manual_seed(0)
    settings = NRDFERNetSettings(
        image_size=32,
        widths=(4, 6, 8),
        spatial_depth=1,
        spatial_mlp=8,
        temporal_depth=1,
        temporal_mlp=8,
        position_std=0.02,
        mu1=0.962,
        mu2=0.08,
    )
    network = NRDFERNet(settings).eval()
    with torch.no_grad():
        network.head.weight.mul_(12)  # untrained logits are close together; a filter needs decided ones
        network.head.bias[NEUTRAL] += 1.0
    return network


def test_every_clip_is_predicted_once_and_consistently(model: NRDFERNet, source: MemorySource) -> None:
    table = evaluate(model, source, source.clip_ids[::-1])
    assert table["clip_id"].tolist() == source.clip_ids
    assert table["emotion"].tolist() == [EMOTIONS[i % 7] for i in range(19)]
    logits = table[LOGITS].to_numpy()
    snippets = np.stack(table["snippet_logits"].tolist()).reshape(19, 7, 7)
    assert table["predicted_unfiltered"].tolist() == [EMOTIONS[i] for i in logits.argmax(1)]
    vetoes = find_vetoes(torch.from_numpy(snippets), 0.962, 0.08, NEUTRAL)
    filtered = filter_logits(torch.from_numpy(logits), vetoes, NEUTRAL)
    assert table["predicted"].tolist() == [EMOTIONS[i] for i in filtered.argmax(1)]
    assert table["vetoed"].tolist() == vetoes.tolist()
    assert 0 < table["vetoed"].sum() < 19  # otherwise this test would not see the filter
    assert "neutral" not in set(table["predicted"][table["vetoed"]])


def test_neither_batch_nor_order_nor_repetition_changes_a_prediction(model: NRDFERNet, source: MemorySource) -> None:
    first, again = evaluate(model, source, source.clip_ids), evaluate(model.train(), source, source.clip_ids)
    pd.testing.assert_frame_equal(first, again)
    small = evaluate(model, source, source.clip_ids, batch=3)
    assert small["predicted"].tolist() == first["predicted"].tolist()
    np.testing.assert_allclose(small[LOGITS], first[LOGITS], atol=1e-4)


def test_a_repeated_or_empty_list_is_refused(model: NRDFERNet, source: MemorySource) -> None:
    with pytest.raises(ValueError, match="2 clips listed, 1 different"):
        evaluate(model, source, ["00000", "00000"])
    with pytest.raises(ValueError, match="0 clips listed"):
        evaluate(model, source, [])


def test_served_predictions_are_the_evaluations(model: NRDFERNet, source: MemorySource) -> None:
    table = evaluate(model, source, ["00000"])
    from nrdfer.data.sampling import sample_indices

    crops = source.frames("00000", sample_indices(17)).astype(np.float32) / 255
    logits_BK, final_BK = predict_clips(model, torch.from_numpy(crops.transpose(0, 3, 1, 2)[None]))
    np.testing.assert_allclose(logits_BK[0].numpy(), table.loc[0, LOGITS].to_numpy(float), atol=1e-5)
    assert EMOTIONS[int(final_BK.argmax())] == table.loc[0, "predicted"]


def test_a_description_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"missing\.json does not describe"):
        load_model(tmp_path / "missing.json", tmp_path / "x.safetensors")
    (tmp_path / "model.json").write_text(json.dumps({"model": "nr-dfernet", "settings": {}}))
    with pytest.raises(WeightsError, match=r"x\.safetensors cannot be read"):
        load_model(tmp_path / "model.json", tmp_path / "x.safetensors")


def test_the_confusion_matrix_picture_shows_a_diagonal_where_nothing_is_confused(tmp_path: Path) -> None:
    names = [*EMOTIONS[:6], EMOTIONS[0]]  # no fear: a row without clips must not break the picture
    table = pd.DataFrame({"clip_id": range(7), "emotion": names, "predicted": names})
    plot_confusion(table, EMOTIONS, tmp_path / "c.png", title="fold 1")
    plot_confusion(table, EMOTIONS, tmp_path / "again.png", title="fold 1")
    picture = cv2.imread(str(tmp_path / "c.png"))
    assert picture is not None
    assert min(picture.shape[:2]) > 400
    # Full recall is drawn in the colour map's last colour, in the six diagonal cells of emotions that occur.
    last = np.array(matplotlib.colormaps["cividis"](1.0)[2::-1]) * 255
    full = (np.abs(picture - last).sum(2) < 12).astype(np.uint8)
    parts, _, stats, middles = cv2.connectedComponentsWithStats(full, connectivity=4)
    cells = [i for i in range(1, parts) if stats[i, cv2.CC_STAT_WIDTH] > 25 < stats[i, cv2.CC_STAT_HEIGHT]]
    assert len(cells) == 6
    x, y = middles[cells].T
    assert (np.diff(x[np.argsort(y)]) > 20).all()  # the further down, the further right: a diagonal
    assert (tmp_path / "c.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_curves_of_five_folds_are_drawn_in_five_colours(tmp_path: Path) -> None:
    histories = {
        f"fd{k}": [{"epoch": e, "train_loss": 2.0 / e + 0.2 * k, "test_war": 0.1 * e + 0.05 * k} for e in range(1, 6)]
        for k in range(1, 6)
    }
    plot_curves(histories, tmp_path / "curves.png")
    picture = cv2.imread(str(tmp_path / "curves.png"))
    assert picture is not None
    for colour in ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"):
        bgr = [int(colour[i : i + 2], 16) for i in (5, 3, 1)]
        assert (np.abs(picture.astype(int) - bgr).sum(2) < 12).sum() > 100, colour


def test_reading_ahead_or_from_memory_changes_nothing(model: NRDFERNet, source: MemorySource) -> None:
    alone = evaluate(model, source, source.clip_ids, batch=4)
    pd.testing.assert_frame_equal(alone, evaluate(model, source, source.clip_ids, batch=4, workers=2))
    data = ClipDataset(source, sorted(source.clip_ids), image_size=model.settings.image_size, emotions=EMOTIONS)
    kept = open_cache(source, source.clip_ids, "ram", torch.device("cpu"), workers=0)
    pd.testing.assert_frame_equal(alone, predict(model, data, batch=4, workers=1, cache=kept))


def test_details_are_what_the_network_saw_and_where_it_looked(model: NRDFERNet, source: MemorySource) -> None:
    from nrdfer.data.sampling import sample_indices
    from nrdfer.models.snippet_filter import snippet_windows

    table = evaluate(model, source, source.clip_ids, details=True)
    plain = evaluate(model, source, source.clip_ids)
    pd.testing.assert_frame_equal(table[plain.columns], plain)
    data = ClipDataset(source, source.clip_ids, image_size=32, emotions=EMOTIONS)
    x_BTCHW = torch.from_numpy(data.batch(range(19))[0])
    with torch.inference_mode():
        features_BPD = model.features(x_BTCHW)
        attention_BP = model.frame_attention(x_BTCHW)
        states_BD = model.represent(x_BTCHW)
    for i, row in table.iterrows():
        k = int(str(i))
        assert row["frames"] == sample_indices(17 + k)
        np.testing.assert_allclose(row["attention"], attention_BP[k], atol=1e-6)
        np.testing.assert_allclose(row["state"], states_BD[k], atol=1e-5)
        assert abs(sum(row["attention"]) - 1) < 1e-5
    for width, places in ((3, 13), (6, 10)):
        bank_BSK = np.stack(table[f"snippets_{width}"].tolist()).reshape(19, places, 7)
        for place in (0, places - 1):  # each as if it were classified alone
            (window,) = [w for w in snippet_windows(16, width, 1) if w.start == place]
            with torch.inference_mode():
                alone_BK = model.classify(features_BPD, [window])[:, 0]
            np.testing.assert_allclose(bank_BSK[:, place], alone_BK, atol=1e-4)
    own_BSK = np.stack(table["snippet_logits"].tolist()).reshape(19, 7, 7)
    bank_BSK = np.stack(table["snippets_3"].tolist()).reshape(19, 13, 7)
    np.testing.assert_allclose(bank_BSK[:, ::2], own_BSK, atol=1e-4)


def test_a_network_without_snippets_has_a_state_only(source: MemorySource) -> None:
    from nrdfer.models.registry import build_model

    rival = build_model("resnet18-gru", {"image_size": 32, "width": 4}, "sample").eval()
    table = evaluate(rival, source, source.clip_ids[:3], details=True)
    assert [len(row) for row in table["attention"]] == [0, 0, 0]
    assert [len(row) for row in table["snippets_3"]] == [0, 0, 0]
    assert len({len(row) for row in table["state"]}) == 1 and len(table["state"][0]) > 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 200_000, "model.json does not describe a trained network"),
        ("[]", "model.json does not describe a trained network: it holds list"),
        ('{"settings": {}}', "model.json does not describe a trained network: it has no model"),
        ('{"model": [], "settings": {}}', r"model.json does not .*: model is \[\] \(list\), but must be text"),
        ('{"model": "nr-dfernet"}', "it has no settings"),
        *(
            (
                f'{{"model": "nr-dfernet", "settings": {value}}}',
                rf"model.json .* settings is {shown}, but must be named",
            )
            for value, shown in (("[]", r"\[\] \(list\)"), ("5", r"5 \(int\)"), ("null", r"None \(NoneType\)"))
        ),
    ],
)
def test_a_description_of_the_wrong_kind_is_told_by_its_field(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(WeightsError, match=words):
        load_model(tmp_path / "model.json", tmp_path / "last.safetensors")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 200_000, "does not say how clips were sampled"),
        ('{"recipe": []}', r"recipe is \[\] \(list\), but must be named settings"),
        *(
            (f'{{"recipe": {{"sampling": {value}}}}}', f"model.json .* sampling is {shown}, but must be named")
            for value, shown in (("[]", r"\[\] \(list\)"), ("5", r"5 \(int\)"), ("null", r"None \(NoneType\)"))
        ),
    ],
)
def test_sampling_of_the_wrong_kind_is_told_by_its_field(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(WeightsError, match=words):
        read_sampling(tmp_path / "model.json")
