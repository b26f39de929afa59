"""Parts of a job: the assets of a corpus, a fold or a step, what these need, and the report of what there is.

Keep out: the jobs themselves (``jobs.py``), and their execution (``job_execution.py``).
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

import dagster as dg

from nrdfer.core.coerce import brief
from nrdfer.core.errors import NrdferError
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.registry import CORPORA, corpus_of

_REPORT = dg.AssetKey(["report"])
_PLACE = ("resources", "workbench", "config", "overrides")


def select(job: dg.JobDefinition, only: str, from_scratch: Collection[str] = ()) -> list[dg.AssetKey]:
    """The assets of a job with a name in their key, all that these need, and the report if one is an evaluation.

    Args:
        job: with these assets.
        only: a corpus, a fold, a step, or a whole key.
        from_scratch: corpora whose training needs no other's.

    Raises:
        NrdferError: there is none.
    """
    graph, keys = job.asset_layer.asset_graph, set(job.asset_layer.selected_asset_keys)
    found = [key for key in keys if only in (*key.path, key.to_user_string())]
    if not found:
        names = sorted({part for key in keys for part in key.path[:-1]})
        raise NrdferError(f"--only {brief(only)}: {job.name} makes nothing of that name; try {', '.join(names)}")
    unneeded = {_edge(name) for name in from_scratch}
    wanted, open_keys = set(found), list(found)
    while open_keys:
        key = open_keys.pop()
        for parent in graph.get(key).parent_keys:
            if parent in keys and parent not in wanted and (key, parent) not in unneeded:
                wanted.add(parent)
                open_keys.append(parent)
    if _REPORT in keys and any(key.path[-1] == "evaluation" for key in found):
        wanted.add(_REPORT)
    return sorted(wanted)


def _edge(name: str) -> tuple[dg.AssetKey, dg.AssetKey]:
    """A corpus's training, and the one that it starts from in the graph."""
    corpus = CORPORA[name]
    before = corpus_of(str(corpus.initial)).asset("checkpoint", corpus.initial)
    return dg.AssetKey(corpus.asset("checkpoint").split("/")), dg.AssetKey(before.split("/"))


def from_scratch(config: Mapping[str, Any]) -> set[str]:
    """Corpora that a run with a config trains from scratch, though the graph starts them from another's network.

    Raises:
        NrdferError: its profile is not valid.
    """
    return {name for name in _profile(config).initial if name in CORPORA and CORPORA[name].initial is not None}


def without_dfew(config: Mapping[str, Any], only: str | None) -> dict[str, Any] | None:
    """The config of a run of AFEW alone where no DFEW is given: AFEW is trained from scratch; None: it needs no change.

    Raises:
        NrdferError: its profile is not valid.
    """
    from nrdfer.preprocessing.corpus_listing import given_root

    if only != AFEW.name:
        return None
    profile = _profile(config)
    dfew = corpus_of(str(AFEW.initial))
    if profile.corpora.rendered or AFEW.name in profile.initial or given_root(profile, dfew) is not None:
        return None
    changed: dict[str, Any] = copy.deepcopy(dict(config))
    place = changed
    for name in _PLACE:
        place = place.setdefault(name, {})
    place["initial"] = {AFEW.name: "none"}
    return changed


def _profile(config: Mapping[str, Any]) -> Any:
    """The profile of a run, as its config sets it up."""
    from pipelines.resources import EnvironmentWorkbench

    place: Any = config
    for name in _PLACE[:-1]:
        place = place.get(name) if isinstance(place, Mapping) else None
    return EnvironmentWorkbench(**(place if isinstance(place, Mapping) else {})).settings
