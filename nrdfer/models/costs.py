"""Counting the costs of every network: what ``cost_table`` ships, and what makes it.

The counting of one network belongs to ``flops``. Nothing is computed: networks and clips are on PyTorch's meta device;
only a network of another package, which need not be able to do without numbers, answers one clip.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nrdfer.core.errors import NrdferError
from nrdfer.core.plugins import NETWORKS, Plugin, find_plugins, last_line
from nrdfer.models.base import ClipNetwork
from nrdfer.models.cost_table import Cost
from nrdfer.models.entry import Entry
from nrdfer.models.flops import count_macs, count_parameters, count_published
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.models.other_networks import entry_of
from nrdfer.models.registry import MODELS, build_model
from nrdfer.models.table_3 import TABLE_3


def measure(
    name: str, preset: str = "paper", *, published: float | None = None, table: str = "", **settings: Any
) -> Cost:
    """Costs of one network.

    Args:
        name: in the registry.
        preset: of the network.
        published: the paper's figure, G.
        table: where the paper prints it.
        **settings: laid over the preset.

    Raises:
        ProfileError: unknown name, preset or setting.
    """
    with torch.device("meta"):
        model = build_model(name, settings, preset).eval()
    return _measured(model, MODELS[name], name, preset, published, table)


def _measured(
    model: ClipNetwork, entry: Entry, name: str, preset: str, published: float | None = None, table: str = ""
) -> Cost:
    s = model.settings
    with torch.device(next(model.parameters()).device):
        x_BTCHW = torch.zeros(1, s.frames, 3, s.image_size, s.image_size)
        snippets = isinstance(model, NRDFERNet)
        plain = count_macs(lambda: model(x_BTCHW))
        filtered = count_macs(lambda: model.forward_with_snippets(x_BTCHW)) if snippets else None
        counted = count_published(model, lambda: model.forward_with_snippets(x_BTCHW), encoder_layers_twice=snippets)
    formatted = s.to_dict()
    if isinstance(s, NRDFERNetSettings):
        formatted = {"M": s.spatial_depth, "N": s.temporal_depth, **formatted}
    return Cost(
        name=name,
        title=entry.title,
        preset=preset,
        settings=formatted,
        parameters=count_parameters(model),
        gmacs=round(plain / 1e9, 4),
        gmacs_with_filter=None if filtered is None else round(filtered / 1e9, 4),
        gmacs_published_counting=round(counted / 1e9, 4),
        gmacs_published=published,
        ratio=None if published is None else round(counted / 1e9 / published, 4),
        table=table,
        note=entry.note,
    )


@dataclass(frozen=True)
class OtherNetwork:
    """A network of another package or a user's file, and what it costs, or why that is not known."""

    name: str
    source: str  # ``face-nets 1.0``, ``my_net.py``
    cost: Cost | None
    problem: str = ""


def measure_others(entries: Sequence[Entry] = ()) -> tuple[OtherNetwork, ...]:
    """Every network of another package, which is imported, and those of some entries of users' files."""
    found = find_plugins(NETWORKS, MODELS)
    broken = [OtherNetwork(name, "", None, problem) for name, problem in found.problems.items()]
    own = [_of_entry(entry, entry.code.get("file", "")) for entry in entries]
    return (*map(_of_plugin, found.plugins.values()), *own, *broken)


def _of_plugin(plugin: Plugin) -> OtherNetwork:
    source = f"{plugin.package} {plugin.version}"
    try:
        return _of_entry(entry_of(plugin), source)
    except NrdferError as error:
        return OtherNetwork(plugin.name, source, None, str(error))


def _of_entry(entry: Entry, source: str) -> OtherNetwork:
    preset, settings = next(iter(entry.presets.items()))
    try:
        cost = _measured(entry.network(settings).eval(), entry, entry.name, preset)
    except NrdferError as error:
        return OtherNetwork(entry.name, source, None, str(error))
    except Exception as error:  # of the network's own code
        return OtherNetwork(entry.name, source, None, f"its costs cannot be counted: {last_line(error)}")
    return OtherNetwork(entry.name, source, cost)


@functools.cache
def measure_all() -> tuple[Cost, ...]:
    """NR-DFERNet at the six depths of Table 3 and in its other presets, then every rival, and its authors' form."""
    of_table_3 = [
        measure("nr-dfernet", published=published, table="3", spatial_depth=m, temporal_depth=n)
        for (m, n), published in TABLE_3.items()
    ]
    presets = [measure("nr-dfernet", preset) for preset in MODELS["nr-dfernet"].presets if preset != "paper"]
    rivals: list[Cost] = []
    for name, entry in MODELS.items():
        if name != "nr-dfernet":
            rivals.append(measure(name, published=entry.gmacs_published, table=", ".join(map(str, entry.tables))))
            rivals += [measure(name, preset) for preset in entry.presets if preset not in ("paper", "sample")]
    return (*of_table_3, *presets, *rivals)
