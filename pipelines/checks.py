"""Asset checks: facts that must hold for an artefact to be used, each explained in the UI.

Keep here: checks on what was made. Keep out: input validation (the library does that when it reads).
"""

import dagster as dg

from nrdfer.store import Artifact


@dg.asset_check(
    asset=["dfew", "folds"],
    blocking=True,
    additional_ins={"shards": dg.AssetIn(key=["dfew", "shards"])},
    description="No clip in train and test of a fold; the test folds are disjoint and together hold every clip.",
)
def folds_are_disjoint(folds: Artifact, shards: Artifact) -> dg.AssetCheckResult:
    """Fold hygiene."""
    from nrdfer.shards.reader import ShardReader
    from nrdfer.stages.shard import read_folds

    assembled = read_folds(folds.path)
    leaks = {k: sorted(set(fold["train"]) & set(fold["test"]))[:5] for k, fold in assembled.items()}
    tested = [clip for fold in assembled.values() for clip in fold["test"]]
    missing = sorted(set(ShardReader(shards.path).clip_ids) - set(tested))
    repeated = len(tested) - len(set(tested))
    return dg.AssetCheckResult(
        passed=not any(leaks.values()) and not missing and repeated == 0,
        metadata={
            "clips_in_train_and_test": {k: v for k, v in leaks.items() if v},
            "clips_in_no_test_fold": len(missing),
            "clips_in_two_test_folds": repeated,
            "clips_tested": len(tested),
        },
    )


def make_shard_check(corpus: str) -> dg.AssetChecksDefinition:
    """The check that a corpus's shards are what their index says."""

    @dg.asset_check(
        asset=[corpus, "shards"],
        name="shards_are_intact",
        blocking=True,
        description="Every shard's sha256 and every member's place are what the index says.",
    )
    def shards_are_intact(shards: Artifact) -> dg.AssetCheckResult:
        from nrdfer.shards.verify import verify

        problems = verify(shards.path)
        return dg.AssetCheckResult(passed=not problems, metadata={"problems": problems[:20]})

    return shards_are_intact


checks = [folds_are_disjoint, make_shard_check("dfew"), make_shard_check("afew")]
