"""Presentation of the graph: owners, tags and links to source lines, the same for every asset.

Keep here: what applies to all assets. Keep out: what one asset is (its description, in ``assets/``).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import dagster as dg

from assets import asset_groups
from nrdfer.corpora.registry import CORPORA, trained_corpora

_FURTHER = [asset_groups.further_group(corpus) for corpus in trained_corpora() if not corpus.of_paper]
_OWNERS = {group.name: group.owner for group in (*asset_groups.MAIN, *asset_groups.BESIDE, *_FURTHER)}


def presented(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The assets with their group's owner, a tag for the corpus, and a link to the line that makes them.

    Existing values of an asset are kept.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # code references; tested here
        linked = dg.with_source_code_references(assets)
    return [asset.map_asset_specs(_complete) for asset in linked if isinstance(asset, dg.AssetsDefinition)]


def _complete(spec: dg.AssetSpec) -> dg.AssetSpec:
    owner = _OWNERS.get(spec.group_name or "")
    corpus = {"corpus": spec.key.path[0]} if spec.key.path[0] in CORPORA else {}
    return spec.replace_attributes(
        owners=spec.owners or ([owner] if owner else []), tags={**corpus, **spec.tags}, kinds=spec.kinds
    )
