"""Writing and reading of a training's files: weights as safetensors, the history, the description.

A file appears under its name (``trained_files``) only when it is complete. Checkpoints (what a training needs to
continue) belong to ``nrdfer.training.checkpoint``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from nrdfer.config.settings import build_settings
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.coerce import convert
from nrdfer.core.emotions import emotions_in
from nrdfer.core.errors import WeightsError
from nrdfer.core.plugins import Code
from nrdfer.data.settings import Sampling
from nrdfer.models.base import ClipNetwork, NetworkSettings
from nrdfer.models.network_file import kept_code
from nrdfer.models.registry import build_recorded
from nrdfer.models.state_dict import misfit, plain_names
from nrdfer.models.trained_files import HISTORY, MODEL, NETWORK


@dataclass(frozen=True)
class EpochReport:
    """Figures of one epoch. WAR and UAR are fractions; the test's are after the snippet-based filter unless named."""

    epoch: int  # counts from 1
    lr: float  # at the epoch's beginning
    train_loss: float  # mean over the epoch's clips, as they were seen
    train_war: float
    test_war: float
    test_uar: float
    test_war_unfiltered: float
    test_uar_unfiltered: float
    validation_war: float | None = None  # of clips held out of the training clips, if there are any
    validation_uar: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values; figures of held-out clips only where some were held out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def best_epoch(reports: Sequence[EpochReport]) -> EpochReport:
    """The paper protocol's choice: best filtered WAR on the test clips, the earliest among equals."""
    return max(reports, key=lambda report: (report.test_war, -report.epoch))


def validated_epoch(reports: Sequence[EpochReport]) -> EpochReport | None:
    """The epoch of the best filtered WAR on held-out clips, the earliest among equals; None if none were held out.

    No figure of the test clips is read.
    """
    rated = [(report.validation_war, -report.epoch, report) for report in reports if report.validation_war is not None]
    return max(rated, key=lambda rating: rating[:2])[2] if rated else None


def cpu_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of a network's weights and buffers on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def write_weights(path: Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Write safetensors."""
    write_whole(path, save({name: tensor.contiguous() for name, tensor in weights.items()}))


def write_history(folder: Path, reports: Sequence[EpochReport]) -> None:
    """Write `HISTORY`, one JSON line an epoch."""
    write_whole(folder / HISTORY, "".join(json.dumps(row.to_dict()) + "\n" for row in reports).encode())


def write_description(
    folder: Path, model: str, settings: Mapping[str, Any], recipe: Mapping[str, Any], code: Code | None = None
) -> None:
    """Write `MODEL`: what `load_model` needs, and how the weights were obtained; of a user's network file, a copy.

    Args:
        folder: existing.
        model: name of the network.
        settings: of the network, all of them.
        recipe: of the training.
        code: of a network that is not this project's.
    """
    described = {"model": model, "settings": dict(settings), "recipe": dict(recipe)}
    if code:
        described["code"] = dict(code)
        content = kept_code(code)
        if content is not None:
            write_whole(folder / NETWORK, content)
    write_whole(folder / MODEL, json.dumps(described, indent=1).encode())


def load_weights(model: nn.Module, path: Path) -> None:
    """Load safetensors into a network of the same settings: every weight, and no other.

    Raises:
        WeightsError: the file is missing, unreadable, or of another network.
    """
    advice = f"use the settings in the {MODEL} beside the weights"
    try:
        tensors = plain_names(load_file(path), path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"weights {path} cannot be read: {error}") from error
    mismatch = misfit({name: tuple(value.shape) for name, value in model.state_dict().items()}, tensors)
    if mismatch:
        raise WeightsError(f"weights {path} do not fit the network: {mismatch}; {advice}")
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(f"weights {path} do not fit the network ({str(error)[:400]}); {advice}") from error


def load_model(settings: Path, weights: Path) -> ClipNetwork:
    """A trained network in evaluation mode, from a training's ``model.json`` and one of its safetensors.

    Raises:
        WeightsError: the description cannot be read, or the weights do not fit it.
        ProfileError: it names a network or a setting that this version does not know.
        PluginError: the network is of another package or a user's file, which is not here as it was in training.
    """
    name, code = read_identity(settings)
    try:
        values = _field(_read(settings), "settings", Mapping[str, Any])
    except (OSError, ValueError) as error:
        raise WeightsError(f"{settings} does not describe a trained network: {error}") from error
    model = build_recorded(name, code, values)
    load_weights(model, weights)
    return model.eval()


def read_identity(settings: Path) -> tuple[str, Code]:
    """Name of the network of a training run's ``model.json``, and the record of its code: empty for a built-in one.

    Raises:
        WeightsError: the description cannot be read.
    """
    try:
        described = _read(settings)
        return _field(described, "model", str), _code(described)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{settings} does not describe a trained network: {error}") from error


def read_sampling(settings: Path) -> Sampling:
    """Sampling with which the network of a training run's ``model.json`` was trained, and is to be tested.

    Raises:
        WeightsError: the description cannot be read.
        ProfileError: it holds a setting that this version does not know.
    """
    try:
        recipe = _field(_read(settings), "recipe", Mapping[str, Any])
        values = _field(recipe, "sampling", Mapping[str, Any])
    except (OSError, ValueError) as error:
        raise WeightsError(f"{settings} does not say how clips were sampled: {error}") from error
    return build_settings(Sampling, values, f"sampling in {settings}")


def read_emotions(settings: Path) -> tuple[str, ...]:
    """Label set of the network of a training run's ``model.json``.

    Raises:
        WeightsError: the description cannot be read.
    """
    try:
        return emotions_in(_field(_read(settings), "settings", Mapping[str, Any]))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{settings} does not name its network's settings: {error}") from error


def read_frames(settings: Path) -> int:
    """Frames of a clip (T) for the network of a training run's ``model.json``.

    Raises:
        WeightsError: the description cannot be read.
    """
    return _read_size(settings, "frames", NetworkSettings.frames)


def read_image_size(settings: Path) -> int:
    """Side of a frame, pixels, for the network of a training run's ``model.json``.

    Raises:
        WeightsError: the description cannot be read.
    """
    return _read_size(settings, "image_size", NetworkSettings.image_size)


def _read_size(settings: Path, name: str, default: int) -> int:
    """A setting of the network, which a description may leave at its default."""
    try:
        values = _field(_read(settings), "settings", Mapping[str, Any])
        return _field(values, name, int) if name in values else default
    except (OSError, ValueError) as error:
        raise WeightsError(f"{settings} does not name its network's settings: {error}") from error


def _read(settings: Path) -> Mapping[str, Any]:
    """Content of a ``model.json``; a ValueError states why it is invalid."""
    try:
        described = json.loads(settings.read_text())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(described, dict):
        raise ValueError(f"it holds {type(described).__name__}, but must hold named values")
    return described


def _code(described: Mapping[str, Any]) -> Code:
    """The record of a network that is not this project's; empty for one that is."""
    code = _field(described, "code", Mapping[str, Any]) if "code" in described else {}
    return {str(name): convert(value, str) for name, value in code.items()}


def _field(values: Mapping[str, Any], name: str, hint: Any) -> Any:
    """One field of the description, of the type `hint`; a ValueError names the field."""
    if name not in values:
        raise ValueError(f"it has no {name}")
    try:
        return convert(values[name], hint)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error


def best_of(history: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The row that `best_epoch` chooses, of a history as it was read; it holds at least one."""
    return max(history, key=lambda row: (row["test_war"], -row["epoch"]))


def read_history(folder: Path) -> list[dict[str, Any]]:
    """One row an epoch, in order, with the fields of `EpochReport`; empty if no epoch has ended."""
    path = folder / HISTORY
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
