"""All assets of a corpus, from its listing to its figures.

Keep here: which steps a corpus passes. Keep out: the steps themselves.
"""

import dagster as dg

from assets.evaluation import evaluation_assets
from assets.listings import listing_asset
from assets.preprocessing import face_assets, folds_asset, shards_asset
from assets.training import training_assets
from nrdfer.corpora.base import Corpus


def corpus_assets(corpus: Corpus) -> list[dg.AssetsDefinition]:
    """Listing, faces if it comes as videos, shards, folds if it has them, checkpoints, evaluations."""
    return [
        listing_asset(corpus),
        *(face_assets(corpus) if corpus.videos else []),
        shards_asset(corpus),
        *([folds_asset(corpus)] if corpus.parts is None else []),
        *training_assets(corpus),
        *evaluation_assets(corpus),
    ]
