"""Asset checks: facts that must hold for an artefact to be used, each explained in the UI.

Keep here: which asset is checked, by what, and that a failure blocks downstream assets. Keep out: the checking
(`nrdfer.preprocessing.validation`), and input validation (the library does that when it reads).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from nrdfer.corpora.base import Corpus
from nrdfer.corpora.registry import trained_corpora
from nrdfer.store import Artifact

if TYPE_CHECKING:
    from nrdfer.preprocessing.validation import Verdict

_MOST = 20  # problems in a message


def check_result(verdict: Verdict) -> dg.AssetCheckResult:
    """A check's result for Dagster; its problems are also the message that stops the run."""
    problems = list(verdict.problems[:_MOST])
    if len(verdict.problems) > _MOST:
        problems.append(f"and {len(verdict.problems) - _MOST} more problems")
    return dg.AssetCheckResult(
        passed=verdict.passed,
        description="; ".join(problems) or None,
        metadata={"problems": problems, **verdict.figures},
    )


def checks_of(corpus: Corpus) -> list[dg.AssetChecksDefinition]:
    """The checks between a corpus's data and its training."""
    faces = [_faces_are_found] if corpus.videos else []
    division = [_folds_are_complete, _folds_are_disjoint] if corpus.parts is None else [_nothing_is_lost]
    return [make(corpus) for make in (*faces, *division, _shards_are_intact)]


def _faces_are_found(corpus: Corpus) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=corpus.asset("aligned_faces").split("/"),
        blocking=True,
        additional_ins={"videos": dg.AssetIn(key=corpus.asset("videos").split("/"))},
        description="At least half of the listed clips have a target, which at least half of all frames show.",
    )
    def faces_are_found(aligned_faces: Artifact, videos: Artifact) -> dg.AssetCheckResult:
        from nrdfer.preprocessing.corpus_listing import VideoListing
        from nrdfer.preprocessing.validation import judge_faces

        listing = VideoListing(corpus, videos.path)
        return check_result(judge_faces(listing.rows, aligned_faces.path, listing.excluded))

    return faces_are_found


def _nothing_is_lost(corpus: Corpus) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=corpus.asset("shards").split("/"),
        name="nothing_is_lost",
        blocking=True,
        additional_ins={"videos": dg.AssetIn(key=corpus.asset("videos").split("/"))},
        description=(
            "Every listed video is in the shards or excluded, once, with its emotion and split; no class has vanished "
            "from a split; records and index agree on the frames."
        ),
    )
    def nothing_is_lost(shards: Artifact, videos: Artifact) -> dg.AssetCheckResult:
        from nrdfer.preprocessing.corpus_listing import VideoListing
        from nrdfer.preprocessing.validation import judge_parts

        return check_result(judge_parts(VideoListing(corpus, videos.path).rows, shards.path, corpus.emotions))

    return nothing_is_lost


def _folds_are_complete(corpus: Corpus) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=corpus.asset("folds").split("/"),
        name="nothing_is_lost",
        blocking=True,
        additional_ins={
            "listing": dg.AssetIn(key=corpus.asset(corpus.listing).split("/")),
            "shards": dg.AssetIn(key=corpus.asset("shards").split("/")),
        },
        description=(
            "Every listed clip is in the shards or excluded; every fold still has each class it is labelled with."
        ),
    )
    def nothing_is_lost(folds: Artifact, listing: Artifact, shards: Artifact) -> dg.AssetCheckResult:
        from nrdfer.preprocessing.folds import read_folds
        from nrdfer.preprocessing.picture_listing import open_listing
        from nrdfer.preprocessing.validation import judge_listed_clips

        listed = open_listing(corpus, listing.path)
        return check_result(judge_listed_clips(listed, shards.path, read_folds(folds.path), corpus.emotions))

    return nothing_is_lost


def _folds_are_disjoint(corpus: Corpus) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=corpus.asset("folds").split("/"),
        blocking=True,
        additional_ins={"shards": dg.AssetIn(key=corpus.asset("shards").split("/"))},
        description="No clip in train and test of a fold; the test folds are disjoint and together hold every clip.",
    )
    def folds_are_disjoint(folds: Artifact, shards: Artifact) -> dg.AssetCheckResult:
        from nrdfer.preprocessing.folds import read_folds
        from nrdfer.preprocessing.validation import judge_folds

        return check_result(judge_folds(shards.path, read_folds(folds.path)))

    return folds_are_disjoint


def _shards_are_intact(corpus: Corpus) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=corpus.asset("shards").split("/"),
        blocking=True,
        description="Every shard's sha256 and every member's place match the index.",
    )
    def shards_are_intact(shards: Artifact) -> dg.AssetCheckResult:
        from nrdfer.preprocessing.validation import Verdict
        from nrdfer.shards.verify import verify

        return check_result(Verdict(tuple(verify(shards.path)), {}))

    return shards_are_intact


checks = [check for corpus in trained_corpora() for check in checks_of(corpus)]
