"""What is in the store is found by content, whoever made it; what is not there is said, row by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from devtools.shard_files import write_shards
from nrdfer.config.profile import Profile
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord
from nrdfer.corpora.dfew import DFEW
from nrdfer.evaluation.checkpoints import predictions_path
from nrdfer.evaluation.result_table import GMACS, MEAN, POOLED, SINGLE, UAR, WAR
from nrdfer.experiments.catalogue import FOLDS, TABLE_1, TABLE_4, TABLE_5, TABLES, TableSpec
from nrdfer.experiments.fill import fill
from nrdfer.experiments.profiles import profile_of
from nrdfer.experiments.results import Results
from nrdfer.models.trained_files import MODEL
from nrdfer.preprocessing.folds import find_split
from nrdfer.store import Store
from nrdfer.store.pointers import made_with
from nrdfer.training.request import network_settings
from nrdfer.training.step_keys import evaluation_step, training_step

PROFILE = Profile.read(
    {
        "name": "own",
        "description": "",
        "model_preset": "sample",
        "dfew_recipe": {"name": "sample"},
        "afew_recipe": {"name": "sample-afew"},
    },
    "profile own",
)
CLIPS = 35


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store in which data was made, and nothing trained."""
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    store = Store(tmp_path / "home" / "store")
    ids = [f"{i:05d}" for i in range(CLIPS)]

    def shards(corpus: str, out: Path) -> dict[str, Any]:
        frames = np.zeros((2, 16, 16, 3), np.uint8)
        splits = ["train" if i % 2 else "val" for i in range(CLIPS)] if corpus == "afew" else [""] * CLIPS
        clips = [
            (ClipRecord(corpus, clip, EMOTIONS[i % 7], splits[i], 2, "0" * 64), frames) for i, clip in enumerate(ids)
        ]
        write_shards(clips, out, prefix=corpus, clips_per_shard=64)
        return {}

    def folds(out: Path) -> dict[str, Any]:
        parts = {str(k): {"test": ids[7 * (k - 1) : 7 * k]} for k in range(1, 6)}
        for part in parts.values():
            part["train"] = sorted(set(ids) - set(part["test"]))
        (out / "folds.json").write_text(json.dumps(parts))
        return {}

    pointers = made_with(PROFILE)
    for corpus in ("dfew", "afew"):
        made = store.build(
            f"{corpus}/shards", code_version="1", config={}, inputs={}, build=lambda out, c=corpus: shards(c, out)
        )
        pointers.set(f"{corpus}/shards", made)
    pointers.set("dfew/folds", store.build("dfew/folds", code_version="1", config={}, inputs={}, build=folds))
    return store


def pretend(store: Store, profile: Profile, name: str, right: int, initial: str | None = None) -> str:
    """Put an evaluation into the store whose network is right about the first `right` clips; the checkpoint's name."""
    split = find_split(PROFILE, name)
    shards = made_with(PROFILE).get(f"{split.corpus}/shards")
    assert shards is not None
    training = training_step(profile, split, shards.digest, initial)
    step = evaluation_step(split, shards.digest, training.digest(store))

    def build(out: Path) -> dict[str, Any]:
        truth = [EMOTIONS[int(clip) % 7] for clip in sorted(split.test_ids)]
        told = [emotion if i < right else EMOTIONS[EMOTIONS.index(emotion) - 1] for i, emotion in enumerate(truth)]
        table = pd.DataFrame({"clip_id": sorted(split.test_ids), "emotion": truth})
        for protocol in ("honest", "paper"):
            # without the filter, everything is neutral
            table.assign(predicted=told, predicted_unfiltered="neutral").to_parquet(predictions_path(out, protocol))
        described = {"model": profile.model, "settings": network_settings(profile, DFEW), "recipe": {}}
        (out / MODEL).write_text(json.dumps(described))
        return {}

    store.build(step.asset, code_version=step.code_version, config=step.config, inputs=step.inputs, build=build)
    return training.digest(store)


def states(table: TableSpec, store: Store) -> dict[str, str]:
    return {row.label: row.state for row in fill(table, Results(PROFILE, store)).table.rows}


def test_nothing_is_there_at_first_and_every_row_says_so(store: Store) -> None:
    for table in TABLES.values():
        assert set(states(table, store).values()) <= {"not run", "as published"}
    filled = fill(TABLE_1, Results(PROFILE, store))
    assert filled.open_rows == list("abcdefgh")
    assert filled.table.line == "dagster job backfill -j table_1 --all --noprompt"


def test_without_data_there_are_no_results_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    filled = fill(TABLE_1, Results(PROFILE, Store(tmp_path / "store")))
    assert filled.open_rows == list("abcdefgh")


def test_the_main_jobs_own_folds_fill_the_rows_that_are_its_network(store: Store) -> None:
    for k, name in enumerate(FOLDS[:3]):
        pretend(store, PROFILE, name, right=3 + k)
    assert states(TABLE_1, store)["h"] == "3 of 5 folds"
    for k, name in enumerate(FOLDS[3:]):
        pretend(store, PROFILE, name, right=6 + k % 1)
    found = states(TABLE_1, store)
    assert [label for label, state in found.items() if state == "measured"] == ["g", "h"]
    assert states(TABLE_5, store)["NR-DFERNet DS"] == "measured"
    filled = fill(TABLE_1, Results(PROFILE, store))
    with_sf, without = (next(row for row in filled.table.rows if row.label == label) for label in "hg")
    figure = with_sf.figure(WAR, "honest", MEAN)
    assert figure is not None and figure.value == pytest.approx(100 * (3 + 4 + 5 + 6 + 6) / 35)
    assert with_sf.published == {"UAR": 54.21, "WAR": 68.19}
    plain = without.figure(UAR, "paper", POOLED)
    assert plain is not None and plain.value == pytest.approx(100 / 7)  # all neutral
    assert sorted(filled.evaluations) == [f"dsf-dct/{name}" for name in FOLDS]


def test_another_setting_recipe_or_engine_is_another_training(store: Store) -> None:
    for name in FOLDS:
        pretend(store, PROFILE, name, right=4)
    for changed in (
        PROFILE.changed(model_settings={"temporal_depth": 1}),
        PROFILE.changed(dfew_recipe={"name": "sample", "epochs": 2}),
        PROFILE.changed(engine={"threads": 3}),
    ):
        pointers = made_with(changed)
        for asset in ("dfew/shards", "dfew/folds", "afew/shards"):
            data = made_with(PROFILE).get(asset)
            assert data is not None
            pointers.set(asset, data)
        rows = fill(TABLE_1, Results(changed, store)).table.rows
        assert {row.state for row in rows} == {"not run"}


def test_afews_rows_start_from_their_own_networks_first_fold(store: Store) -> None:
    experiment = TABLE_4.experiment("r3d-18-ds")
    rival = profile_of(PROFILE, experiment)
    first = pretend(store, rival, "fd1", right=5)
    pretend(store, rival, "afew", right=9, initial=first)
    pretend(store, PROFILE, "afew", right=2, initial="0" * 64)  # from something else
    found = states(TABLE_4, store)
    assert found["3D ResNet18 DS"] == "measured"
    assert found["NR-DFERNet DS"] == "not run"
    assert found["EmotiW-2019 baseline"] == "as published"
    rows = fill(TABLE_4, Results(PROFILE, store)).table.rows
    row = next(row for row in rows if row.label == "3D ResNet18 DS")
    assert row.figure(WAR, "honest", SINGLE) is not None
    cost = row.figure(GMACS)
    assert cost is not None and 0 < cost.value < 8.32  # the sample's network is narrower than the published
