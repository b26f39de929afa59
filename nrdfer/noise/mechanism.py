"""Answers and attention of temporal stages on one frozen network's features, trained on one arm's clips.

Attention is read in three ways (the paper's product over layers and heads, their mean, rollout), and held against
use: a frame's feature is replaced by the clip's mean, and the true emotion's logit changes. Shapes: J stages (seeds),
N test clips, n of them with N1, P features a clip, d their width, K classes, S snippets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nrdfer.config.noise import N1, POOLED, TOKENS, NoiseSettings
from nrdfer.core.emotions import EMOTIONS, neutral_index
from nrdfer.models.nrdfernet import NRDFERNetSettings
from nrdfer.models.snippet_filter import find_vetoes
from nrdfer.noise.backbones import LEARNT_FEATURES, TESTED_FEATURES, TESTED_FRAMES, learnt_clips, tested_clips
from nrdfer.noise.corpus import PLANTED_KINDS, arm_clips
from nrdfer.noise.stages import Stages, Weights, train_stages

ANSWERS = "answers.npz"
PRODUCT, MEAN, ROLLOUT, USE = "product", "mean", "rollout", "use"
READINGS = (PRODUCT, MEAN, ROLLOUT)  # of attention
_CHUNK = 128  # clips at a time
_SEEDS = 1000  # of one frozen network, at most
_NEUTRAL = neutral_index(EMOTIONS)
Arrays = dict[str, npt.NDArray[Any]]


def run_stages(
    settings: NoiseSettings,
    number: int,
    arm: str,
    backbone: Path,
    clips: Path,
    out: Path,
    *,
    device: torch.device,
    log: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train the stages of every token on an arm's clips, and write `ANSWERS` of the test clips.

    Args:
        settings: of the benchmark.
        number: of the frozen network; each has seeds of its own, so that what a start does is not taken for what is
            common to all frozen networks. Arms and tokens have the same seeds.
        arm: one of `nrdfer.config.noise.ARMS`.
        backbone: folder of the frozen network's features.
        clips: the shards that `render_clips` wrote, for their truth.
        out: receives the file; its arrays are named ``<number of the token>/<what>``, see `_answers`.
        device: for training and testing.
        log: receives a line a token.
    """
    ids, rows = arm_clips(arm, settings), tested_clips(clips)
    places = np.searchsorted(learnt_clips(settings), ids)
    learnt = torch.from_numpy(np.load(backbone / LEARNT_FEATURES)[places]).to(device)
    tested = torch.from_numpy(np.load(backbone / TESTED_FEATURES)).to(device)
    # an id is p<person>_<emotion>_<kind>
    labels = torch.tensor([EMOTIONS.index(clip.split("_")[1]) for clip in ids], device=device)
    noisy = noise_seen(rows, np.load(backbone / TESTED_FRAMES))
    seeds = range(_SEEDS * number, _SEEDS * number + settings.stage_seeds)
    found: Arrays = {}
    for place, token in enumerate(TOKENS):
        w = train_stages(token, seeds, learnt, labels, settings.stage)
        stages = Stages(token, settings.stage)
        with torch.inference_mode():
            answers = _answers(stages, w, tested, rows, noisy)
        found |= {f"{place}/{name}": values for name, values in answers.items()}
        right = answers["best"] == [EMOTIONS.index(row["emotion"]) for row in rows]
        log(f"arm {arm}, {token}: WAR over all conditions {right.mean():.3f}")
    np.savez_compressed(out / ANSWERS, allow_pickle=False, **found)
    return {"arm": arm, "stages": len(TOKENS) * settings.stage_seeds}


def noise_seen(rows: Sequence[Mapping[str, Any]], frames_NP: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which features are of N1, by kind: (N, P, number of `PLANTED_KINDS`)."""
    kinds = [[row["noise"][frame] for frame in frames] for row, frames in zip(rows, frames_NP, strict=True)]
    return np.array([[[kind == one for one in PLANTED_KINDS] for kind in of_clip] for of_clip in kinds])


def with_n1(rows: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.int64]:
    """Places of the clips with planted N1 among all test clips."""
    return np.array([i for i, row in enumerate(rows) if row["kind"] == N1 and row["level"] > 0])


def _answers(
    stages: Stages, w: Weights, tested_NPd: Tensor, rows: Sequence[Mapping[str, Any]], noisy: npt.NDArray[np.bool_]
) -> Arrays:
    """The arrays of `ANSWERS`, of one token.

    ``best`` and ``second`` (J, N), the most probable emotion, and the most probable but neutral; ``veto`` (J, N);
    ``product``, ``mean``, ``rollout`` and ``use``, shares on features of each kind of N1 (J, n, kinds), and ``pull``
    (J, n), what the features of N1 add to the true emotion's logit.
    """
    filter_of = NRDFERNetSettings()
    logits, vetoes = [], []
    for x_NPd in torch.split(tested_NPd, _CHUNK):
        logits.append(_logits(stages, w, x_NPd))
        snippets = torch.stack([x_NPd[:, window.start : window.stop] for window in filter_of.snippets], 1)
        own_JNSK = _logits(stages, w, snippets.flatten(0, 1)).reshape(-1, *snippets.shape[:2], len(EMOTIONS))
        vetoes.append(torch.stack([find_vetoes(one, filter_of.mu1, filter_of.mu2, _NEUTRAL) for one in own_JNSK]))
    logits_JNK = torch.cat(logits, 1)
    others_JNK = logits_JNK.clone()
    others_JNK[..., _NEUTRAL] = -torch.inf
    found: Arrays = {
        "best": logits_JNK.argmax(-1).cpu().numpy().astype(np.int8),
        "second": others_JNK.argmax(-1).cpu().numpy().astype(np.int8),
        "veto": torch.cat(vetoes, 1).cpu().numpy(),
    }
    places = with_n1(rows)
    of_n1, kinds_nPk = tested_NPd[places], noisy[places].astype(np.float32)
    labels_n = torch.tensor([EMOTIONS.index(rows[i]["emotion"]) for i in places], device=tested_NPd.device)
    changes_JnP = np.concatenate([_use(stages, w, x, y) for x, y in _chunks(of_n1, labels_n)], 1)
    sizes_JnP = np.abs(changes_JnP) + 1e-12
    shares = {USE: sizes_JnP / sizes_JnP.sum(-1, keepdims=True)}
    if stages.token != POOLED:
        read = [_attention(stages, w, x) for x, _ in _chunks(of_n1, labels_n)]
        shares |= {name: np.concatenate([one[name] for one in read], 1) for name in READINGS}
    found |= {name: np.einsum("jnp,npk->jnk", share, kinds_nPk).astype(np.float32) for name, share in shares.items()}
    found["pull"] = (changes_JnP * kinds_nPk.any(-1)).sum(-1).astype(np.float32)
    return found


def _chunks(x_nPd: Tensor, y_n: Tensor) -> Any:
    return zip(torch.split(x_nPd, _CHUNK), torch.split(y_n, _CHUNK), strict=True)


def _logits(stages: Stages, w: Weights, x_NPd: Tensor) -> Tensor:
    return stages.logits(w, x_NPd.expand(w["token_D"].shape[0], *x_NPd.shape))


def _use(stages: Stages, w: Weights, x_nPd: Tensor, y_n: Tensor) -> npt.NDArray[np.float32]:
    """What each feature adds to the true emotion's logit, compared with the clip's mean in its place: (J, n, P)."""
    length, places = x_nPd.shape[1], torch.arange(len(x_nPd), device=x_nPd.device)
    whole_Jn = _logits(stages, w, x_nPd)[:, places, y_n]
    changes = []
    for place in range(length):
        other_nPd = x_nPd.clone()
        other_nPd[:, place] = x_nPd.mean(1)
        changes.append(whole_Jn - _logits(stages, w, other_nPd)[:, places, y_n])
    return torch.stack(changes, -1).cpu().numpy()


def _attention(stages: Stages, w: Weights, x_nPd: Tensor) -> Arrays:
    """The class token's attention to each feature in every reading, (J, n, P), which sums to 1."""
    seen: list[Tensor] = []
    stages.logits(w, x_nPd.expand(w["token_D"].shape[0], *x_nPd.shape), None, seen)
    own_LJnHP = torch.stack([weights_JnHNN[..., 0, 1:] for weights_JnHNN in seen])
    unit_NN = torch.eye(seen[0].shape[-1], device=x_nPd.device)
    flow_JnNN = unit_NN
    for weights_JnHNN in seen:
        flow_JnNN = (weights_JnHNN.mean(2) + unit_NN) / 2 @ flow_JnNN
    found = {
        PRODUCT: own_LJnHP.log().sum((0, 3)).softmax(-1),
        MEAN: own_LJnHP.mean((0, 3)),
        ROLLOUT: flow_JnNN[..., 0, 1:],
    }
    return {name: (values / values.sum(-1, keepdim=True)).cpu().numpy() for name, values in found.items()}
