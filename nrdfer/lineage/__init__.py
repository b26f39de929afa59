"""Lineage: from a registered version back to every video, and from any of its links to the versions made of it.

A chain is a list of links: things with a location and a digest (files, artefacts, runs). The walk follows digests and
ids only, never a recorded order of events: a version names its checkpoint, the checkpoint's manifest its inputs, and so
on down to the corpus's files; every link is compared with the actual content. The steps write these records; here they
are read.
"""

from nrdfer.lineage.links import Chain, Link
from nrdfer.lineage.walk import Walk

__all__ = ["Chain", "Link", "Walk"]
