from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from devtools.pretraining.common import HELD_OUT, TRAINING
from devtools.pretraining.enlightengan import (
    FacePairs,
    darken,
    evaluate_enhancer,
    expose,
    mean_luma,
    psnr,
    structural_similarity,
    train_enlightengan,
)
from nrdfer.enhance.enhancer import Enhancer
from nrdfer.weights.catalogue import content_ids, sample_weights


def test_luma_and_psnr_by_hand():
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    assert mean_luma(red) == pytest.approx(0.299 * 200, abs=1e-3)
    assert psnr(red, red) == float("inf")
    assert psnr(np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)) == pytest.approx(0)


def test_exposure_lifts_dark_pictures_only():
    dark = np.random.default_rng(0).integers(0, 80, (32, 32, 3), dtype=np.uint8)
    assert mean_luma(expose(dark, 100.0)) == pytest.approx(100, abs=2)
    bright = dark + 150
    assert np.array_equal(expose(bright, 100.0), bright)


def test_darkening_darkens():
    bright = np.random.default_rng(0).integers(60, 250, (32, 32, 3), dtype=np.uint8)
    for seed in range(20):
        assert mean_luma(darken(bright, np.random.default_rng(seed))) < 0.7 * mean_luma(bright)


def test_structural_similarity():
    a_BCHW = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    b_BCHW = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(1))
    assert structural_similarity(a_BCHW, a_BCHW) == pytest.approx(1.0)
    assert structural_similarity(a_BCHW, b_BCHW) < 0.3
    assert structural_similarity(a_BCHW, b_BCHW) == pytest.approx(float(structural_similarity(b_BCHW, a_BCHW)))


def test_pairs_depend_on_seed_stream_and_index_alone():
    a, b = FacePairs(1, TRAINING, 5, 48), FacePairs(1, TRAINING, 500, 48)
    a[0]
    for name in ("dark", "bright"):
        assert np.array_equal(a[3][name], b[3][name])
        assert not np.array_equal(a[3][name], FacePairs(1, HELD_OUT, 5, 48)[3][name])


def test_shares_of_pairs_left_bright():
    untouched = FacePairs(1, TRAINING, 5, 48, untouched=1.0)[0]
    assert np.array_equal(untouched["dark"], untouched["bright"])
    darkened = FacePairs(1, TRAINING, 5, 48, untouched=0.0)[0]
    assert mean_luma(darkened["dark"]) < mean_luma(darkened["bright"])


def test_training_writes_weights_that_load_and_says_what_it_measured(tmp_path):
    options = {"seed": 2, "steps": 3, "batch": 2, "size": 48, "workers": 0, "held_out": 4, "base_channels": 2}
    out = tmp_path / "enhancer.safetensors"
    result = train_enlightengan(out, **options)
    with safe_open(out, framework="pt") as file:
        assert file.metadata()["format"] == "nrdfer-enlightengan"
        assert file.metadata()["base_channels"] == "2"
    assert evaluate_enhancer(Enhancer.load(out), seed=2, count=4, size=48) == result["held_out"]
    assert json.loads(out.with_suffix(".json").read_text())["sha256"] == content_ids(out)[0]
    card = out.with_suffix(".md").read_text()
    assert "not EnlightenGAN's training" in card
    assert content_ids(out)[0] in card
    again = tmp_path / "again.safetensors"
    train_enlightengan(again, **options)
    assert content_ids(again) == content_ids(out)  # same seed, same bytes


def test_shipped_enhancer_brightens_dark_faces_and_leaves_bright_ones():
    enhancer = Enhancer.load(sample_weights("enlightengan"))
    measured = evaluate_enhancer(enhancer, seed=991, count=24, size=112)
    dark, bright = measured["darkened"], measured["bright"]
    assert dark["psnr_after"] > dark["psnr_before"] + 5
    assert abs(dark["luma_after"] - dark["luma_wanted"]) < 0.3 * (dark["luma_wanted"] - dark["luma_before"])
    assert bright["psnr_after"] > 24
