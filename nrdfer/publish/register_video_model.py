"""Step: register a champion with its preprocessing as a self-contained version of ``<model>-video``.

The version is made of the registered one, so that both have the same weights; its settings from video to crops are
those of the training's profile.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from nrdfer import registry
from nrdfer.registry import tags
from nrdfer.registry.logged_models import Content
from nrdfer.registry.versions import VIDEO, Facts
from nrdfer.tracking.client import Tracking

_log = logging.getLogger(__name__)
_OWN = (tags.FILES, tags.CODE, tags.ROLE, tags.CHECKPOINT)


def video_name(name: str) -> str:
    """Registered name of the video model that belongs to a crops model."""
    return f"{name}-video"


def register_video(tracking: Tracking, name: str, version: str, *, log: logging.Logger = _log) -> registry.Registered:
    """Register the video model of a registered version, and make it the champion among video models.

    Args:
        tracking: the MLflow store.
        name: registered model that takes crops.
        version: of it.
        log: receives the registry's warnings.

    Raises:
        WeightsError: the version's files, or the weights of detector or brightener, are not what they were.
    """
    import pandas as pd

    from nrdfer.models.saved_model import read_emotions
    from nrdfer.models.trained_files import MODEL
    from nrdfer.preprocessing.spec import FILE, Preprocessing
    from nrdfer.serving.loader import FOLDERS
    from nrdfer.serving.loader import MODULE as LOADER
    from nrdfer.serving.video_bundle import write_bundle
    from nrdfer.serving.video_model import video_signature

    uri = f"models:/{name}/{version}"
    opened = registry.open_version(uri, tracking)
    card = _card(opened.description, name, uri)
    facts = Facts(
        checkpoint_digest=opened.tags[tags.CHECKPOINT],
        card=card,
        epoch=int(opened.tags[tags.EPOCH]),
        metrics={key: float(opened.tags[f"{key}_honest"]) for key in ("war", "uar")},
        tags={**{key: value for key, value in opened.tags.items() if key not in _OWN}, tags.OF: uri},
    )
    with tempfile.TemporaryDirectory() as scratch, registry.private_copy(opened) as files:
        bundle = write_bundle(files, Preprocessing.read(files / FILE), Path(scratch))
        content = Content(
            artifacts={part: Path(path) for part, path in bundle.items()},
            loader=LOADER,
            signature=video_signature(read_emotions(files / MODEL)),
            card=card,
            example=lambda: pd.DataFrame({"path": ["/data/my_video.mp4"]}),
            config={FOLDERS: []},
        )
        made = registry.register(tracking, video_name(name), opened.run_id, content, facts, kind=VIDEO, log=log)
    registry.point_alias(tracking, video_name(name), registry.CHAMPION, made.version)
    return made


def _card(card: str, name: str, uri: str) -> str:
    """The card of the crops version, with the differences."""
    head, _, rest = card.partition("\n\n")
    different = (
        f"**Takes videos**: a local path (column `path`) or the file's bytes (column `video`) in; the emotion, its "
        f"probabilities, a timeline and how many frames show the face out. Same weights as {uri}, with the detector "
        f"and the brightener beside them. `nrdfer serve models:/{video_name(name)}@champion` serves it on this machine."
    )
    return f"{head} (videos)\n\n{different}\n\n{rest}"[:5000]
