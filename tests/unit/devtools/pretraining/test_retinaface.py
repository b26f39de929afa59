from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from devtools.pretraining.multibox_loss import MultiBoxLoss
from devtools.pretraining.prior_matching import iou_matrix, match
from devtools.pretraining.retinaface import (
    HeldOutScenes,
    TrainingScenes,
    compare,
    disturb,
    evaluate_detector,
    mirror,
    train_retinaface,
)
from nrdfer.core.emotions import EMOTIONS
from nrdfer.corpora.synthetic.clips import afew_frames
from nrdfer.corpora.synthetic.identity import draw_identity
from nrdfer.corpora.synthetic.timeline import draw_timeline
from nrdfer.faces.detector import Face
from nrdfer.faces.load_detector import load_detector
from nrdfer.faces.priors import decode_boxes, decode_points, prior_boxes
from nrdfer.weights.catalogue import content_ids, sample_weights

SIZE = 128
PRIORS_P4 = prior_boxes(SIZE, SIZE)


def faces_in_fractions(*boxes):
    """Boxes in pixels, and plausible points inside them."""
    boxes_F4 = np.array(boxes, np.float32).reshape(-1, 4)
    spots_52 = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)], np.float32)
    sides_F2 = boxes_F4[:, 2:] - boxes_F4[:, :2]
    points_F52 = boxes_F4[:, None, :2] + spots_52 * sides_F2[:, None]
    return boxes_F4 / SIZE, points_F52 / SIZE


def test_iou_by_hand():
    a_N4 = np.array([[0, 0, 2, 2], [5, 5, 5, 9]], np.float32)
    b_M4 = np.array([[1, 0, 3, 2], [0, 0, 2, 2], [10, 10, 11, 11]], np.float32)
    assert iou_matrix(a_N4, b_M4) == pytest.approx(np.array([[2 / 6, 1, 0], [0, 0, 0]]))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(4, 120), st.floats(4, 120)),
        min_size=1,
        max_size=4,
    )
)
def test_every_face_is_taught_and_every_positive_prior_teaches_its_face(corners):
    boxes_F4, points_F52 = faces_in_fractions(*[(x, y, x + w, y + h) for x, y, w, h in corners])
    targets = match(boxes_F4, points_F52, PRIORS_P4)
    chosen = targets.positive
    decoded_N4 = decode_boxes(targets.boxes[chosen], PRIORS_P4[chosen])
    points_N52 = decode_points(targets.points[chosen], PRIORS_P4[chosen]).reshape(-1, 5, 2)
    distance_NF = np.abs(decoded_N4[:, None] - boxes_F4[None]).max(axis=2)
    assert distance_NF.min(axis=1).max() < 1e-3  # each positive prior means one of the faces
    owner_N = distance_NF.argmin(axis=1)
    assert np.abs(points_N52 - points_F52[owner_N]).max() < 1e-3  # and the points belong to that same face
    best_F = [np.argmax(row) for row in iou_matrix(boxes_F4, _corners(PRIORS_P4))]
    if len(set(best_F)) == len(best_F):  # two faces with one best prior cannot both have it
        assert distance_NF.min(axis=0).max() < 1e-3  # every face has a prior


def _corners(priors_P4):
    return np.concatenate((priors_P4[:, :2] - priors_P4[:, 2:] / 2, priors_P4[:, :2] + priors_P4[:, 2:] / 2), axis=1)


def test_priors_above_the_threshold_are_positive_and_those_below_are_not():
    boxes_F4, points_F52 = faces_in_fractions((30, 30, 90, 94))
    iou_P = iou_matrix(boxes_F4, _corners(PRIORS_P4))[0]
    assert np.array_equal(match(boxes_F4, points_F52, PRIORS_P4).positive, iou_P >= 0.35)
    # a long thin face overlaps no anchor enough, and still gets one
    thin = match(*faces_in_fractions((10, 10, 14, 110)), PRIORS_P4)
    assert thin.positive.sum() == 1


def test_no_faces_give_background_only():
    targets = match(np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), PRIORS_P4)
    assert not targets.positive.any()
    assert targets.boxes.shape == (len(PRIORS_P4), 4)
    assert targets.points.shape == (len(PRIORS_P4), 10)


def test_loss_by_hand():
    """One positive prior and three of background, of which mining takes the two worst."""
    logits_BP2 = torch.tensor([[[0.0, 1.0], [2.0, 0.0], [0.0, 3.0], [0.0, 0.5]]])
    positive_BP = torch.tensor([[True, False, False, False]])
    boxes_BP4, points_BP10 = torch.zeros(1, 4, 4), torch.zeros(1, 4, 10)
    predicted = (torch.full((1, 4, 4), 2.0), logits_BP2, torch.full((1, 4, 10), 0.5))
    criterion = MultiBoxLoss(negatives_per_positive=2, least_negatives=1)
    loss, parts = criterion(predicted, positive_BP, boxes_BP4, points_BP10)
    entropy_P = F.cross_entropy(logits_BP2[0], torch.tensor([1, 0, 0, 0]), reduction="none")
    assert parts["score"] == pytest.approx(float(entropy_P[0] + entropy_P[2] + entropy_P[3]), rel=1e-5)
    assert parts["box"] == pytest.approx(4 * 1.5)
    assert parts["points"] == pytest.approx(10 * 0.125)
    assert loss == pytest.approx(float(parts["score"] + 2 * parts["box"] + parts["points"]), rel=1e-5)


def test_pictures_without_faces_teach_background():
    logits_BP2 = torch.zeros(1, 50, 2, requires_grad=True)
    nothing = torch.zeros(1, 50, dtype=torch.bool)
    loss, parts = MultiBoxLoss()(
        (torch.ones(1, 50, 4), logits_BP2, torch.ones(1, 50, 10)),
        nothing,
        torch.zeros(1, 50, 4),
        torch.zeros(1, 50, 10),
    )
    loss.backward()
    assert parts["box"] == 0
    assert logits_BP2.grad is not None
    assert int((logits_BP2.grad.abs().sum(-1) > 0).sum()) == 16  # the least number, the rest is left out


def test_mirror_twice_is_nothing_and_once_keeps_left_on_the_left():
    scene = TrainingScenesSample.first_with_face()
    rgb, boxes, points = scene
    once = mirror(rgb, boxes, points)
    assert (once[2][:, 0, 0] < once[2][:, 1, 0]).all() == (points[:, 0, 0] < points[:, 1, 0]).all()
    assert np.array_equal(once[0][:, 0], rgb[:, -1])
    twice = mirror(*once)
    assert np.array_equal(twice[0], rgb)
    assert twice[1] == pytest.approx(boxes, abs=1e-3)
    assert twice[2] == pytest.approx(points, abs=1e-3)


class TrainingScenesSample:
    """Held-out scenes until one has a face."""

    @staticmethod
    def first_with_face():
        scenes = HeldOutScenes(0, 50, SIZE, SIZE)
        return next(scene for scene in scenes if len(scene[1]))


def test_samples_depend_on_seed_and_index_alone():
    a, b = TrainingScenes(3, 10, SIZE), TrainingScenes(3, 99, SIZE)
    a[0]  # what was drawn before does not matter
    for name, value in a[7].items():
        assert np.array_equal(value, b[7][name])
    assert not np.array_equal(a[7]["picture"], TrainingScenes(4, 10, SIZE)[7]["picture"])
    assert not np.array_equal(a[7]["picture"], a[6]["picture"])
    assert a[7]["picture"].shape == (SIZE, SIZE, 3)


def test_disturbing_keeps_the_picture_recognisable():
    rgb = TrainingScenesSample.first_with_face()[0]
    for seed in range(12):
        out = disturb(rgb, np.random.default_rng(seed))
        assert out.shape == rgb.shape
        assert out.dtype == np.uint8
        correlation = np.corrcoef(out.reshape(-1), rgb.reshape(-1))[0, 1]
        assert correlation > 0.7


def face_at(box, points, score=0.9):
    return Face(np.array(box, np.float32), score, np.array(points, np.float32))


def test_comparison_counts_each_true_face_once():
    boxes_F4 = np.array([[0, 0, 10, 10], [50, 50, 90, 90]], np.float32)
    points_F52 = np.stack([np.full((5, 2), 5.0), np.full((5, 2), 70.0)]).astype(np.float32)
    found = [
        face_at([50, 50, 90, 90], np.full((5, 2), 70.0) + np.array([3, 4])),
        face_at([51, 50, 90, 90], np.full((5, 2), 70.0)),  # the same face again
        face_at([20, 20, 30, 30], np.full((5, 2), 25.0)),  # nobody there
    ]
    false, errors = compare(found, boxes_F4, points_F52)
    assert false == 2
    assert errors == [pytest.approx(5 / 40)]
    assert compare([], boxes_F4, points_F52) == (0, [])
    assert compare(found, boxes_F4[:0], points_F52[:0]) == (3, [])


def test_training_writes_weights_that_load_and_says_what_it_measured(tmp_path):
    calls: list[tuple[int, int]] = []
    options = {"seed": 5, "steps": 3, "batch": 2, "size": 96, "workers": 0, "held_out": 4}
    out = tmp_path / "detector.safetensors"
    result = train_retinaface(out, **options, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    with safe_open(out, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["format"] == "nrdfer-retinaface"
    assert metadata["convention"] == "pytorch_retinaface"
    assert metadata["steps"] == "3"
    detector = load_detector(out)
    assert detector.convention.bgr
    measured = evaluate_detector(detector, seed=5, count=4, width=96, height=96)
    assert measured == result["held_out"]["96 x 96"]
    written = json.loads(out.with_suffix(".json").read_text())
    assert written["sha256"] == content_ids(out)[0] == result["sha256"]
    card = out.with_suffix(".md").read_text()
    assert result["sha256"] in card
    assert "Do not use" in card
    again = tmp_path / "again.safetensors"
    train_retinaface(again, **options)
    assert content_ids(again) == content_ids(out)  # same seed, same bytes


def test_shipped_detector_finds_rendered_faces():
    detector = load_detector(sample_weights("retinaface"))
    measured = evaluate_detector(detector, seed=991, count=40, width=320, height=320)
    assert measured["recall"] > 0.95
    assert measured["false_positives_per_picture"] < 0.1
    assert measured["points_error_median"] < 0.07  # faces from 24 pixels on: one pixel is 0.04 there


def test_shipped_detector_places_points_well_in_the_sample_profiles_videos():
    detector = load_detector(sample_weights("retinaface"), max_side=360)  # as the sample profile uses it
    errors: list[float] = []
    for seed in range(12):
        rng = np.random.default_rng([77, seed])
        who = draw_identity(rng)
        line = draw_timeline(rng, who, EMOTIONS[seed % 7], 3, n1_rate=0.0, mostly_neutral=False)
        frame = list(afew_frames(rng, rng, who, line, dark=seed % 3 == 0, second_person=False))[-1]
        assert frame.face is not None
        false, found = compare(detector.detect(frame.rgb), frame.face.box[None], frame.face.points[None])
        assert (false, len(found)) == (0, 1), f"seed {seed}"
        errors += found
    assert np.median(errors) < 0.04
    assert max(errors) < 0.1
