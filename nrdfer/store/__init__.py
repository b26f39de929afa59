"""The content-addressed store: the only package that knows the paths of artefacts.

A step's digest is taken of its code version, its resolved settings and the digests of its inputs. Its files appear
under ``<root>/<asset>/<digest>/`` in one rename, after everything is on disk and ``MANIFEST.json`` (files, bytes,
sha256, counts, provenance) was written last. So an artefact is complete or absent, and a step whose artefact exists has
nothing to do. Settings, pointers and the files' meaning do not belong here.

Nothing is trusted: an artefact that is opened is first compared, byte for byte, with its manifest, which carries its
own seal, and the content of a work folder with its receipts.

Copies may be in a bucket (``NRDFER_STORE_URL``) and on a disk of this machine (``NRDFER_SCRATCH``); see ``copies``.

Beside the artefacts are ``.locks`` (one file per digest), ``.work`` (data from which unfinished steps continue),
``.verified`` (what the present runs have verified), ``.damaged`` (artefacts that were found changed) and ``.decoded``
(decoded frames that trainings side by side share, see ``decoded``).
"""

from nrdfer.core.hashing import digest_of, file_sha256
from nrdfer.store.artifacts import Artifact, Store, is_artefact_name
from nrdfer.store.manifest import MANIFEST, find_problems, read_manifest
from nrdfer.store.project import project_store

__all__ = [
    "MANIFEST",
    "Artifact",
    "Store",
    "digest_of",
    "file_sha256",
    "find_problems",
    "is_artefact_name",
    "project_store",
    "read_manifest",
]
