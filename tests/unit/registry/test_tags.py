"""The tags of a registered version: versions of earlier releases carry them, so no name may change."""

from __future__ import annotations

from nrdfer.registry import tags


def test_names_are_those_of_versions_that_are_registered_already() -> None:
    names = {name: value for name, value in vars(tags).items() if name.isupper()}
    assert names == {
        "CHECKPOINT": "nrdfer.checkpoint_digest",
        "FILES": "nrdfer.files",
        "CODE": "nrdfer.code",
        "CONFIG": "nrdfer.config_digest",
        "DATA": "nrdfer.data_digest",
        "FOLD": "nrdfer.fold",
        "PROFILE": "nrdfer.profile",
        "EVALUATION": "nrdfer.evaluation_digest",
        "EVALUATED_BY": "nrdfer.evaluation_run",
        "TEST_CLIPS": "nrdfer.test_clips",
        "WAR": "war_honest",
        "EPOCH": "nrdfer.epoch",
        "OF": "nrdfer.of",
        "ROLE": "nrdfer.kind",
    }
