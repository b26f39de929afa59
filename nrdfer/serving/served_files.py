"""Files of a model that is to be served: checked, gathered in a private folder, and with the detector that was named.

How they are opened belongs to `loader`; the server, to `serve`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_text import one_line
from nrdfer.predict.asked import WINDOWS
from nrdfer.preprocessing.spec import FILE, Preprocessing
from nrdfer.serving.video_bundle import CONTENTS, replace_detector, write_bundle
from nrdfer.weights.hub_address import SCHEME
from nrdfer.weights.sample_network import ADDRESS


@dataclass(frozen=True)
class Served:
    """A model to serve."""

    address: str  # of a registered version; of one on the hub, or the shipped one, which are served for videos
    retinaface: str | None = None  # a name or a path: the detector of a model for videos, instead of the training's
    answer: str = WINDOWS  # what the emotion of a whole video is: one of `nrdfer.predict.asked.KINDS`


@contextlib.contextmanager
def checked_files(served: Served) -> Iterator[tuple[Path, str, str]]:
    """A private folder with a model's checked files, the sha256 of its weights, and what is said of it at the start.

    Raises:
        WeightsError: the version is refused, or the detector's weights cannot be found.
        NrdferError: a detector is named for a model that takes crops.
    """
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nrdfer-model-")))
        if served.address == ADDRESS or served.address.startswith(SCHEME):
            yield _bundled(served, scratch)
        else:
            yield stack.enter_context(_registered(served, scratch))


def _bundled(served: Served, scratch: Path) -> tuple[Path, str, str]:
    from nrdfer.predict.choose import choose_detector
    from nrdfer.predict.model import open_model
    from nrdfer.registry.loading import checked_weights
    from nrdfer.weights.hub_version import pinned

    address = pinned(served.address)
    trained = open_model(address)
    preprocessing, changes = trained.preprocessing.overridden(retinaface=served.retinaface or choose_detector(trained))
    with checked_weights(address) as network:
        write_bundle(network.folder, preprocessing, scratch)
    words = f"{address}: videos, answered by {trained.caption}{_unlike(changes)}"
    return scratch, trained.origin.weights_sha256, words


@contextlib.contextmanager
def _registered(served: Served, scratch: Path) -> Iterator[tuple[Path, str, str]]:
    from nrdfer.registry.loading import note_code
    from nrdfer.registry.private_copy import private_copy, weights_sha256
    from nrdfer.registry.verified_open import open_version

    opened = open_version(served.address)
    sources = note_code(opened)
    with private_copy(opened) as files:
        words = f"{opened.uri}: files are as registered, answered by sources {sources[:12]}"
        if served.retinaface is None:
            yield files, weights_sha256(opened), words
            return
        if not (files / CONTENTS).is_file():
            raise NrdferError(
                f"--retinaface {one_line(served.retinaface)}: {opened.uri} takes aligned crops and detects nothing; a "
                "model whose name ends in -video takes videos"
            )
        preprocessing, changes = Preprocessing.read(files / FILE).overridden(retinaface=served.retinaface)
        replace_detector(files, preprocessing, scratch)
        yield scratch, weights_sha256(opened), f"{words}{_unlike(changes)}"


def _unlike(changes: tuple[str, ...]) -> str:
    return f"; unlike in training: {', '.join(changes)}" if changes else ""
