"""The content-addressed store: the only package that knows where artefacts lie.

A step's digest is taken of its code version, its resolved settings and the digests of its inputs. Its files appear
under ``<root>/<asset>/<digest>/`` in one rename, after everything is on disk and ``MANIFEST.json`` (files, bytes,
sha256, counts, provenance) was written last. So an artefact is there whole or not at all, and a step whose artefact
is there has nothing to do. Settings, pointers and the files' meaning do not belong here.

Nothing is taken on trust: an artefact that is opened is first held, byte for byte, against its manifest, which carries
a seal of its own, and what a work folder holds against its receipts.

Beside the artefacts lie ``.locks`` (one file a digest), ``.work`` (what unfinished steps want to find again),
``.verified`` (what the present runs have looked at) and ``.damaged`` (artefacts that were found changed).
"""

from nrdfer.core.hashing import digest_of, file_sha256
from nrdfer.store.artifacts import Artifact, Store, is_artefact_name
from nrdfer.store.manifest import MANIFEST, find_problems, read_manifest

__all__ = [
    "MANIFEST",
    "Artifact",
    "Store",
    "digest_of",
    "file_sha256",
    "find_problems",
    "is_artefact_name",
    "read_manifest",
]
