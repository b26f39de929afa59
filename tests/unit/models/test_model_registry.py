"""Every registered network: what is asked of all of them, and how one is chosen by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import ClipError, ProfileError
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.in_memory import MemorySource
from nrdfer.evaluation.inference import evaluate
from nrdfer.evaluation.protocols import fold_metrics
from nrdfer.models.base import ClipNetwork
from nrdfer.models.export import export_program
from nrdfer.models.nrdfernet import NRDFERNet
from nrdfer.models.registry import MODELS, build_model, resolve_settings

pytestmark = pytest.mark.slow

SIZE = 32
LR = {"c3d": 2e-4}  # no norm tames its gradients
STEPS = 200


@pytest.fixture(autouse=True)
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def _build(name: str, seed: int = 0) -> ClipNetwork:
    torch.manual_seed(seed)
    return build_model(name, {"image_size": SIZE}, "sample")


def _learn(network: ClipNetwork, x: Tensor, y: Tensor, optimiser: torch.optim.Optimizer, steps: int) -> float:
    network.train()
    for _ in range(steps):
        loss, logits = network.objective(x, y)
        assert logits.shape == (len(y), 7)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    return loss.item()


def _optimiser(network: ClipNetwork, name: str) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), LR.get(name, 1e-3), weight_decay=0.0)


@pytest.mark.parametrize("name", MODELS)
def test_every_network(name: str, sample_clips: MemorySource) -> None:
    data = ClipDataset(sample_clips, sample_clips.clip_ids, image_size=SIZE, emotions=EMOTIONS)
    x, y = map(torch.from_numpy, data.batch(range(len(data))))
    assert len(y) == 14
    assert np.bincount(y).tolist() == [2] * 7

    # the same seed gives the same network and the same two steps of learning; another seed does not
    networks, losses = [], []
    for seed in (0, 0, 1):
        networks.append(_build(name, seed))
        losses.append(_learn(networks[-1], x[:5], y[:5], _optimiser(networks[-1], name), 2))
    first, again, _ = networks
    assert losses[0] == losses[1] != losses[2]
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key

    # every weight takes part, or the filter's snippets would be all that it serves
    torch.manual_seed(0)
    first.zero_grad()
    torch.autograd.backward(first.objective(x, y)[0])
    unused = [key for key, p in first.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert unused == []

    # it learns fourteen clips by heart, as the engine's evaluation sees it
    optimiser, war = _optimiser(first, name), 0.0
    for _ in range(STEPS // 10):
        _learn(first, x, y, optimiser, 10)
        war = fold_metrics(evaluate(first, sample_clips, sample_clips.clip_ids), EMOTIONS)["war_unfiltered"]
        if war >= 0.95:
            break
    assert war >= 0.95

    # what it has learnt survives a state dict, and torch.export, for any number of clips
    first.eval()
    copy = _build(name, seed=7).eval()
    copy.load_state_dict(first.state_dict())
    exported = export_program(copy).module()
    with torch.no_grad():
        logits, snippets = first.forward_with_snippets(x)
        assert torch.equal(copy(x), first(x))
        for part in (x, x[:1]):
            told, final = exported(part)
            torch.testing.assert_close(told, logits[: len(part)], rtol=0, atol=1e-4)
            expected = first.probabilities(logits, snippets)[: len(part)]
            torch.testing.assert_close(final, expected, rtol=0, atol=1e-4)
    assert first.represent(x).shape[0] == 14


@pytest.mark.parametrize("name", MODELS)
def test_clips_that_no_network_takes(name: str) -> None:
    network, good = _build(name).eval(), torch.rand(2, 16, 3, SIZE, SIZE)
    bad = good.clone()
    bad[1, 3, 0, 5, 5] = float("nan")
    for wrong, message in [
        (good[:, :15], "takes clips of 16 frames, got 15"),
        (good[0], r"shape \(B, 16, 3, 32, 32\).*got \(16, 3, 32, 32\)"),
        (good.transpose(1, 2), r"got \(2, 3, 16, 32, 32\)"),
        (good[..., :24], r"resize frames to 32 x 32"),
        ((good * 255).to(torch.int64), "8-bit values are uint8"),
        (bad, "clip 1 of the batch holds 1 values that are NaN"),
        (good / 0, "NaN or infinite"),
    ]:
        for call in (
            network,
            network.forward_with_snippets,
            lambda x: network.objective(x, torch.zeros(len(x), dtype=torch.int64)),
        ):
            with pytest.raises(ClipError, match=message):
                call(wrong)


def test_settings_are_laid_over_a_preset() -> None:
    model = build_model("nr-dfernet", {"image_size": 32, "widths": [4, 6, 8], "temporal_depth": 1})
    assert isinstance(model, NRDFERNet)
    assert model.settings.widths == (4, 6, 8)
    assert len(model.temporal.encoder.layers) == 1
    assert resolve_settings("c3d", {"hidden": 8}, "sample") == dataclasses.replace(
        MODELS["c3d"].presets["sample"],
        hidden=8,  # type: ignore[call-arg]
    )


@pytest.mark.parametrize("name", MODELS)
def test_every_network_has_a_paper_and_a_sample_preset(name: str) -> None:
    paper, sample = MODELS[name].presets["paper"], MODELS[name].presets["sample"]
    assert (paper.image_size, paper.frames, paper.classes) == (112, 16, 7)
    assert sample.image_size == 64
    # plain values only, so that a training's model.json rebuilds it
    assert resolve_settings(name, dataclasses.asdict(sample)) == sample


def test_the_authors_later_code() -> None:
    later = MODELS["nr-dfernet"].presets["author-code"]
    assert later == dataclasses.replace(
        MODELS["nr-dfernet"].presets["paper"],
        stem="double3x3",  # type: ignore[call-arg]
        temporal_depth=2,
        position_std=1.0,
        mu1=0.75,
        mu2=0.03,
    )


@pytest.mark.parametrize(
    ("name", "settings", "preset", "message"),
    [
        ("c4d", {}, "paper", "no model 'c4d'; known are nr-dfernet, c3d, p3d"),
        ("c3d", {}, "papre", "c3d has no preset 'papre'; known are paper, dfew-authors, sample"),
        ("nr-dfernet", {"depth": 3}, "paper", "unknown setting depth"),
        ("nr-dfernet", {"stem": "vgg"}, "paper", "stem must be"),
        ("nr-dfernet", {"encoder_norm": "both"}, "paper", "norm must be"),
        ("nr-dfernet", {"snippet_width": 40}, "paper", "do not fit"),
        ("c3d", {"frames": 8}, "paper", "needs at least 16 frames, not 8"),
        ("p3d", {"depth": 50}, "paper", "one of 63, 131, 199, not 50"),
        ("p3d", {"frames": 32}, "paper", "takes 16 to 31 frames, not 32"),
        ("vgg11-lstm", {"image_size": 24}, "paper", "at least 32 px, not 24"),
        ("r3d-18", {"image_size": 8}, "paper", "image_size must be at least 16"),
        ("r3d-18", {"classes": 1}, "paper", "the number of classes follows from the label set"),
    ],
)
def test_what_cannot_be_built_is_named(name: str, settings: dict[str, object], preset: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        build_model(name, settings, preset)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temporal_depth", 10**8),
        ("frames", 9 * 10**18),
        ("frames", 10**30),
        ("image_size", 10**9),
        ("spatial_heads", 10**11),
        ("spatial_mlp", 10**6),
        ("widths", [64, 10**6, 256]),
        ("stage_blocks", [1, 10**5, 1]),
    ],
)
def test_a_huge_network_is_refused_before_anything_is_allocated(field: str, value: object) -> None:
    with pytest.raises(ProfileError, match=rf"settings of nr-dfernet: {field} .*at most [\d,]+"):
        resolve_settings("nr-dfernet", {field: value})


@pytest.mark.parametrize("name", MODELS)
def test_every_preset_is_far_below_the_bounds(name: str) -> None:
    for preset in MODELS[name].presets:
        assert resolve_settings(name, {}, preset) == MODELS[name].presets[preset]
