"""Pointers: a small file that says which artefact a name stands for at present.

A pointer holds an asset's name and a digest, never a file; it is replaced whole. The store knows artefacts by
digest only, and this is how a later process finds the one that was made last under a given set of settings.
"""

from __future__ import annotations

import json
from pathlib import Path

from nrdfer.files import write_whole
from nrdfer.store import Artifact, Store


class Pointers:
    """Named pointers into one store."""

    def __init__(self, store: Store, root: Path) -> None:
        self.store = store
        self.root = root

    def set(self, name: str, artifact: Artifact) -> None:
        """Let `name` stand for `artifact` from now on."""
        path = self.root / f"{name}.json"
        write_whole(path, json.dumps({"asset": artifact.asset, "digest": artifact.digest}).encode())

    def get(self, name: str) -> Artifact | None:
        """The artefact `name` stands for; None if the name is not known.

        Raises:
            StoreError: the name is known, but its artefact is gone or damaged.
        """
        path = self.root / f"{name}.json"
        if not path.is_file():
            return None
        target = json.loads(path.read_text())
        return self.store.open(target["asset"], target["digest"])
