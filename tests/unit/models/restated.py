"""Equations 1 to 7 of the paper, written a second time: plain NumPy in double precision, loops where they are clearer.

Knows nothing of the project's modules but the names of their weights. Used by ``test_equations``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Weights = Mapping[str, Array]


def part(weights: Weights, prefix: str) -> dict[str, Array]:
    """The weights below a prefix."""
    return {name.removeprefix(prefix + "."): w for name, w in weights.items() if name.startswith(prefix + ".")}


def conv(x: Array, weight: Array, stride: int, bias: Array | None = None) -> Array:
    """Convolution of one map (C, H, W) with padding of half the kernel."""
    out_channels, _, k, _ = weight.shape
    pad = k // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    rows, columns = (x.shape[1] + 2 * pad - k) // stride + 1, (x.shape[2] + 2 * pad - k) // stride + 1
    out = np.zeros((out_channels, rows, columns))
    for i in range(rows):
        for j in range(columns):
            patch = padded[:, i * stride : i * stride + k, j * stride : j * stride + k]
            out[:, i, j] = (weight * patch).sum((1, 2, 3))
    return out if bias is None else out + bias[:, None, None]


def batch_norm(x: Array, w: Weights) -> Array:
    """Batch normalisation of one map (C, H, W) with known statistics."""
    mean, var, gain, shift = (w[name][:, None, None] for name in ("running_mean", "running_var", "weight", "bias"))
    return (x - mean) / np.sqrt(var + 1e-5) * gain + shift


def layer_norm(x: Array, w: Weights) -> Array:
    """Layer normalisation of the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * w["weight"] + w["bias"]


def gelu(x: Array) -> Array:
    """The tanh form."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softmax(x: Array) -> Array:
    """Over the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(x: Array, w: Weights, heads: int) -> Array:
    """Multi-head self-attention of one sequence (N, D)."""
    q, k, v = np.split(x @ w["to_qkv.weight"].T, 3, axis=1)
    width = q.shape[1] // heads
    mixed = []
    for h in range(heads):
        own = slice(h * width, (h + 1) * width)
        mixed.append(softmax(q[:, own] @ k[:, own].T / np.sqrt(width)) @ v[:, own])
    return np.concatenate(mixed, 1) @ w["to_out.weight"].T + w["to_out.bias"]


def encoder(x: Array, w: Weights, depth: int, heads: int) -> Array:
    """Pre-norm transformer encoders on one sequence (N, D)."""
    for i in range(depth):
        layer = part(w, f"layers.{i}")
        x = x + attention(layer_norm(x, part(layer, "norm1")), part(layer, "attention"), heads)
        hidden = gelu(layer_norm(x, part(layer, "norm2")) @ layer["mlp.0.weight"].T + layer["mlp.0.bias"])
        x = x + hidden @ layer["mlp.3.weight"].T + layer["mlp.3.bias"]
    return x


def basic_block(x: Array, w: Weights, stride: int) -> Array:
    """Two convolutions around a shortcut, on one map."""
    inner = np.maximum(batch_norm(conv(x, w["conv1.weight"], stride), part(w, "bn1")), 0)
    out = batch_norm(conv(inner, w["conv2.weight"], 1), part(w, "bn2"))
    if "shortcut.0.weight" in w:
        x = batch_norm(conv(x, w["shortcut.0.weight"], stride), part(w, "shortcut.1"))
    return np.maximum(out + x, 0)


def dynamic_branch(x: Array, w: Weights, kind: str, blocks: int) -> Array:
    """The dynamic branch on one difference map."""
    for i in range(blocks):
        if kind == "basic":
            x = basic_block(x, part(w, str(i)), 1 if i else 2)
        else:
            stride = 2 if i == blocks - 1 else 1
            x = np.maximum(batch_norm(conv(x, w[f"{3 * i}.weight"], stride), part(w, str(3 * i + 1))), 0)
    return x


def fused_features(maps: Array, w: Weights, kind: str, blocks: int, depth: int, heads: int) -> Array:
    """Equations 1 to 4 on one clip's primary maps (T, C, H, W) -> (T - 1, C, h, w)."""
    out = []
    for i in range(len(maps) - 1):
        difference = maps[i + 1] - maps[i]  # equation 1
        static = conv(maps[i], w["conv_d.0.weight"], 2, w.get("conv_d.0.bias"))  # equation 2
        if "conv_d.1.weight" in w:
            static = np.maximum(batch_norm(static, part(w, "conv_d.1")), 0)
        tokens = np.stack([static[:, y, x] for y in range(static.shape[1]) for x in range(static.shape[2])])
        encoded = encoder(tokens + w["position_QC"], part(w, "encoder"), depth, heads)  # equation 3
        static = encoded.T.reshape(static.shape)
        out.append(dynamic_branch(difference, part(w, "dynamic"), kind, blocks) + static)  # equation 4
    return np.stack(out)


def class_token_state(features: Array, w: Weights, depth: int, heads: int) -> Array:
    """Equation 5, position embeddings and the temporal encoders on one sequence (p, D) -> (D,)."""
    token = w["token_D"] if "token_D" in w else sum(features) / len(features)
    sequence = np.concatenate([[token], features]) + w["position_TD"][: len(features) + 1]
    return encoder(sequence, part(w, "encoder"), depth, heads)[0]


def snippets_of(sequence: int, width: int, stride: int) -> list[list[int]]:
    """Equation 6: positions of the snippets of a sequence."""
    count = int(np.floor((sequence - width) / stride)) + 1
    return [[i * stride + j for j in range(width)] for i in range(count)]


def final_probabilities(logits: Array, snippet_logits: Array, mu1: float, mu2: float, neutral: int) -> Array:
    """Equation 7 on one clip, word by word: neutral's probability is set to zero where a snippet asks for it."""
    probabilities = softmax(logits)
    p = softmax(snippet_logits)
    if any(p[i].max() > mu1 and p[i, neutral] < mu2 for i in range(len(p))):
        probabilities[neutral] = 0.0
    return probabilities
