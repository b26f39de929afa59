"""Temporal stages on cached features, many at once: the product's own stage with a dimension for the stage in front.

Stages of different seeds have nothing in common but the computation: weights, gradients, their norms and the order of
clips are each stage's own. All tokens of one seed start from the same weights (a learned token is drawn for all and
used by one) and see the same clips in the same order, so that a seed is a pair. Shapes: J stages, B clips, P
features, d their width, N = P + 1 tokens, K classes, S snippets of p features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nrdfer.config.noise import LEARNED, LEFT_OUT, POOLED, StageSettings
from nrdfer.core.emotions import EMOTIONS
from nrdfer.models.dct import TemporalStage
from nrdfer.models.encoder import EncoderSettings

Weights = Mapping[str, Tensor]
_CLIP_NORM, _WARMUP, _POSITION_STD = 1.0, 0.2, 0.02
_ORDER, _LEFT_OUT = range(2)  # streams of random numbers


def encoder_of(settings: StageSettings) -> EncoderSettings:
    """The stages' encoder: a final norm, without which few steps learn little."""
    return EncoderSettings(settings.depth, settings.heads, settings.dim_head, settings.mlp, final_norm=True)


def start(seeds: Sequence[int], length: int, settings: StageSettings) -> dict[str, Tensor]:
    """Weights of stages before training, each drawn by its seed: names of `TemporalStage` and ``head.*``, (J, ...)."""
    drawn = []
    for seed in seeds:
        torch.manual_seed(seed)
        stage = TemporalStage(
            settings.width, length, encoder_of(settings), dynamic_token=False, position_std=_POSITION_STD
        )
        head = nn.Linear(settings.width, len(EMOTIONS))
        drawn.append({**stage.state_dict(), **{f"head.{name}": value for name, value in head.state_dict().items()}})
    return {name: torch.stack([one[name] for one in drawn]) for name in drawn[0]}


class Stages:
    """Stages of one token, as functions of their weights."""

    def __init__(self, token: str, settings: StageSettings) -> None:
        self.token, self.settings = token, settings

    def logits(
        self, w: Weights, x_JBPd: Tensor, left_JB: Tensor | None = None, seen: list[Tensor] | None = None
    ) -> Tensor:
        """Features -> logits (J, B, K); `seen` receives every layer's attention weights (J, B, H, N, N).

        Args:
            w: the stages' weights.
            x_JBPd: features of whole clips or of snippets, which have the first positions.
            left_JB: for `LEFT_OUT` in training, the feature that the token's mean lacks.
            seen: a list, or None.
        """
        state_JBd = self._state(w, x_JBPd, left_JB, seen)
        return torch.baddbmm(w["head.bias"][:, None], state_JBd, w["head.weight"].mT)

    def _state(self, w: Weights, x_JBPd: Tensor, left_JB: Tensor | None, seen: list[Tensor] | None) -> Tensor:
        placed_JBPd = x_JBPd + w["position_TD"][:, None, 1 : 1 + x_JBPd.shape[2]]
        if self.token == POOLED:
            return self._encoded(w, placed_JBPd, seen).mean(2)
        token_JBd = x_JBPd.mean(2)
        if self.token == LEARNED:
            token_JBd = w["token_D"][:, None].expand_as(token_JBd)
        elif left_JB is not None:
            count = x_JBPd.shape[2]
            place_JB1d = left_JB[..., None, None].expand(*left_JB.shape, 1, x_JBPd.shape[-1])
            token_JBd = (token_JBd * count - x_JBPd.gather(2, place_JB1d)[:, :, 0]) / (count - 1)
        first_JB1d = (token_JBd + w["position_TD"][:, None, 0])[:, :, None]
        return self._encoded(w, torch.cat([first_JB1d, placed_JBPd], 2), seen)[:, :, 0]

    def _encoded(self, w: Weights, x_JBNd: Tensor, seen: list[Tensor] | None) -> Tensor:
        J, B, N, d = x_JBNd.shape
        for layer in range(self.settings.depth):
            name = f"encoder.layers.{layer}."
            normed = _norm(w, name + "norm1", x_JBNd).reshape(J, B * N, d)
            qkv = torch.bmm(normed, w[name + "attention.to_qkv.weight"].mT)
            q, k, v = qkv.view(J, B, N, 3, self.settings.heads, -1).permute(3, 0, 1, 4, 2, 5).unbind(0)
            weights_JBHNN = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
            if seen is not None:
                seen.append(weights_JBHNN)
            mixed = (weights_JBHNN @ v).transpose(2, 3).reshape(J, B * N, -1)
            x_JBNd = x_JBNd + _linear(w, name + "attention.to_out", mixed).view(J, B, N, d)
            normed = _norm(w, name + "norm2", x_JBNd).reshape(J, B * N, d)
            hidden = F.gelu(_linear(w, name + "mlp.0", normed), approximate="tanh")
            x_JBNd = x_JBNd + _linear(w, name + "mlp.3", hidden).view(J, B, N, d)
        return _norm(w, "encoder.final", x_JBNd)


def _norm(w: Weights, name: str, x_JBNd: Tensor) -> Tensor:
    weight, bias = (w[f"{name}.{part}"][:, None, None] for part in ("weight", "bias"))
    return F.layer_norm(x_JBNd, x_JBNd.shape[-1:]) * weight + bias


def _linear(w: Weights, name: str, x_JMd: Tensor) -> Tensor:
    return torch.baddbmm(w[f"{name}.bias"][:, None], x_JMd, w[f"{name}.weight"].mT)


def train_stages(
    token: str,
    seeds: Sequence[int],
    x_MVPd: Tensor,
    labels_M: Tensor,
    settings: StageSettings,
) -> dict[str, Tensor]:
    """Train the stages of one token, one a seed; returns their weights.

    Args:
        token: one of `nrdfer.config.noise.TOKENS`.
        seeds: of start, order, and frames left out.
        x_MVPd: features of M training clips in V views, which the epochs take in turn.
        labels_M: their classes.
        settings: of the stages.
    """
    count, length = x_MVPd.shape[0], x_MVPd.shape[2]
    w = {name: value.to(x_MVPd.device).requires_grad_() for name, value in start(seeds, length, settings).items()}
    stages = Stages(token, settings)
    steps = settings.epochs * -(-count // settings.batch)
    optimizer = torch.optim.AdamW(w.values(), lr=settings.lr, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, total_steps=steps, pct_start=_WARMUP)
    for epoch in range(settings.epochs):
        orders_JM = _drawn(seeds, _ORDER, epoch, lambda rng: rng.permutation(count))
        left_JM = _drawn(seeds, _LEFT_OUT, epoch, lambda rng: rng.integers(length, size=count))
        for first in range(0, count, settings.batch):
            which_JB = orders_JM[:, first : first + settings.batch].to(x_MVPd.device)
            left_JB = left_JM[:, first : first + settings.batch].to(x_MVPd.device) if token == LEFT_OUT else None
            logits_JBK = stages.logits(w, x_MVPd[which_JB, epoch % x_MVPd.shape[1]], left_JB)
            loss = F.cross_entropy(logits_JBK.flatten(0, 1), labels_M[which_JB].flatten(), reduction="sum")
            optimizer.zero_grad()
            (loss / which_JB.shape[1]).backward()  # type: ignore[no-untyped-call]  # of torch
            _clip(list(w.values()))
            optimizer.step()
            schedule.step()
    return {name: value.detach() for name, value in w.items()}


def _drawn(
    seeds: Sequence[int], stream: int, epoch: int, draw: Callable[[np.random.Generator], npt.NDArray[np.int64]]
) -> Tensor:
    return torch.from_numpy(np.stack([draw(np.random.default_rng([seed, stream, epoch])) for seed in seeds]))


def _clip(weights: Sequence[Tensor]) -> None:
    """Limit the norm of each stage's own gradient; the unused token has none."""
    gradients = [value.grad for value in weights if value.grad is not None]
    norms_J = torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients]).sum(0).sqrt()
    factors_J = (_CLIP_NORM / (norms_J + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factors_J.view(-1, *(1,) * (gradient.dim() - 1)))
