"""Asset checks: facts that must hold for an artefact to be used, each explained in the UI.

Keep here: which asset is judged, by what, and that a failure blocks what comes after. Keep out: the judging
(`nrdfer.preprocessing.validation`), and input validation (the library does that when it reads).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from nrdfer.store import Artifact

if TYPE_CHECKING:
    from nrdfer.preprocessing.validation import Verdict

_MOST = 20  # problems that are told


def check_result(verdict: Verdict) -> dg.AssetCheckResult:
    """A verdict as Dagster shows it; its problems are also what stops the run, in words."""
    problems = list(verdict.problems[:_MOST])
    if len(verdict.problems) > _MOST:
        problems.append(f"and {len(verdict.problems) - _MOST} more problems")
    return dg.AssetCheckResult(
        passed=verdict.passed,
        description="; ".join(problems) or None,
        metadata={"problems": problems, **verdict.figures},
    )


@dg.asset_check(
    asset=["afew", "aligned_faces"],
    blocking=True,
    additional_ins={"videos": dg.AssetIn(key=["afew", "videos"])},
    description="At least half of the listed clips have a target, which at least half of all frames show.",
)
def faces_are_found(aligned_faces: Artifact, videos: Artifact) -> dg.AssetCheckResult:
    """Detection worked."""
    from nrdfer.preprocessing.corpus_listing import read_listing
    from nrdfer.preprocessing.validation import judge_faces

    return check_result(judge_faces(read_listing(videos.path)["clips"], aligned_faces.path))


@dg.asset_check(
    asset=["afew", "shards"],
    name="nothing_is_lost",
    blocking=True,
    additional_ins={"videos": dg.AssetIn(key=["afew", "videos"])},
    description=(
        "Every listed video is in the shards or set aside, once, with its emotion and split; no class has vanished "
        "from a split; records and index agree on the frames."
    ),
)
def afew_is_complete(shards: Artifact, videos: Artifact) -> dg.AssetCheckResult:
    """AFEW's shards hold what is listed."""
    from nrdfer.preprocessing.corpus_listing import read_listing
    from nrdfer.preprocessing.validation import judge_afew_shards

    return check_result(judge_afew_shards(read_listing(videos.path)["clips"], shards.path))


@dg.asset_check(
    asset=["dfew", "folds"],
    name="nothing_is_lost",
    blocking=True,
    additional_ins={
        "clips": dg.AssetIn(key=["dfew", "clips"]),
        "shards": dg.AssetIn(key=["dfew", "shards"]),
    },
    description="Every listed clip is in the shards or set aside; every fold still has each class it is labelled with.",
)
def dfew_is_complete(folds: Artifact, clips: Artifact, shards: Artifact) -> dg.AssetCheckResult:
    """DFEW's shards and folds hold what is listed."""
    from nrdfer.preprocessing.dfew_listing import DfewListing
    from nrdfer.preprocessing.folds import read_folds
    from nrdfer.preprocessing.validation import judge_dfew

    return check_result(judge_dfew(DfewListing(clips.path), shards.path, read_folds(folds.path)))


@dg.asset_check(
    asset=["dfew", "folds"],
    blocking=True,
    additional_ins={"shards": dg.AssetIn(key=["dfew", "shards"])},
    description="No clip in train and test of a fold; the test folds are disjoint and together hold every clip.",
)
def folds_are_disjoint(folds: Artifact, shards: Artifact) -> dg.AssetCheckResult:
    """Fold hygiene."""
    from nrdfer.preprocessing.folds import read_folds
    from nrdfer.preprocessing.validation import judge_folds

    return check_result(judge_folds(shards.path, read_folds(folds.path)))


def make_shard_check(corpus: str) -> dg.AssetChecksDefinition:
    """The check that a corpus's shards are what their index says."""

    @dg.asset_check(
        asset=[corpus, "shards"],
        name="shards_are_intact",
        blocking=True,
        description="Every shard's sha256 and every member's place are what the index says.",
    )
    def shards_are_intact(shards: Artifact) -> dg.AssetCheckResult:
        from nrdfer.preprocessing.validation import Verdict
        from nrdfer.shards.verify import verify

        return check_result(Verdict(tuple(verify(shards.path)), {}))

    return shards_are_intact


checks = [
    faces_are_found,
    afew_is_complete,
    dfew_is_complete,
    folds_are_disjoint,
    make_shard_check("dfew"),
    make_shard_check("afew"),
]
