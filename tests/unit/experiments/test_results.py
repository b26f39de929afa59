"""What is in the store is found by content, whoever made it; what is not there is said, row by row."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from devtools.shard_files import write_shards
from nrdfer.config.profile import Profile
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import NrdferError
from nrdfer.core.records import ClipRecord
from nrdfer.corpora.dfew import DFEW
from nrdfer.evaluation.checkpoints import predictions_path
from nrdfer.evaluation.result_table import GMACS, MEAN, POOLED, SINGLE, UAR, WAR, RepeatedFigure
from nrdfer.experiments.catalogue import FOLDS, TABLE_1, TABLE_2, TABLE_4, TABLE_5, TABLES, Experiment, TableSpec
from nrdfer.experiments.fill import fill, line_of
from nrdfer.experiments.pairs import PAIRS, compare_pairs, row_of_address
from nrdfer.experiments.profiles import profile_of
from nrdfer.experiments.results import Results
from nrdfer.models.trained_files import MODEL
from nrdfer.preprocessing.folds import find_split
from nrdfer.reporting.comparison_table import pair_table
from nrdfer.reporting.render import csv_of, markdown_of
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


def with_seeds(store: Store, seeds: int) -> Profile:
    """The profile with several seeds, and the same data."""
    changed = PROFILE.changed(seeds=seeds)
    for asset in ("dfew/shards", "dfew/folds", "afew/shards"):
        data = made_with(PROFILE).get(asset)
        assert data is not None
        made_with(changed).set(asset, data)
    return changed


def test_the_first_seed_is_the_training_without_seeds(store: Store) -> None:
    several = with_seeds(store, 3)
    assert "seeds" not in PROFILE.to_dict()
    assert several.to_dict() == {**PROFILE.to_dict(), "seeds": 3}
    results, alone = Results(several, store), Results(PROFILE, store)
    experiment = TABLE_1.experiment("baseline")
    assert results.training(experiment, "fd1") == alone.training(experiment, "fd1")
    digests = {results.training(experiment, "fd1", seed).digest(store) for seed in range(3)}
    assert len(digests) == 3
    recipes = [profile_of(several, experiment, seed).dfew_recipe for seed in range(3)]
    assert [recipe.seed for recipe in recipes] == [0, 1, 2]
    assert dataclasses.replace(recipes[2], seed=0) == recipes[0]
    own = profile_of(several.changed(dfew_recipe={"name": "sample", "seed": 40}), experiment, 2)
    assert own.dfew_recipe.seed == 42


def test_afew_of_a_seed_starts_from_dfew_of_that_seed(store: Store) -> None:
    results = Results(with_seeds(store, 2), store)
    experiment = TABLE_4.experiment("r3d-18-ds")
    for seed in range(2):
        first = results.training(experiment, "fd1", seed).digest(store)
        assert results.training(experiment, "afew", seed).inputs["initial"] == first


def test_cells_over_seeds_have_mean_and_spread_and_say_what_is_missing(store: Store) -> None:
    several = with_seeds(store, 3)
    ours = TABLE_1.experiment("dsf-dct")
    for seed in range(2):
        for name in FOLDS:
            pretend(store, profile_of(several, ours, seed), name, right=3 + 2 * seed)
    table = dataclasses.replace(TABLE_1, rows=TABLE_1.rows[-1:])
    (row,) = fill(table, Results(several, store)).table.rows
    assert row.state == "2 of 3 seeds"
    figure = row.figure(WAR, "honest", MEAN)
    assert isinstance(figure, RepeatedFigure)
    assert figure.values == pytest.approx((100 * 3 / 7, 100 * 5 / 7))
    assert figure.value == pytest.approx(100 * 4 / 7)
    for name in FOLDS:
        pretend(store, profile_of(several, ours, 2), name, right=7)
    filled = fill(table, Results(several, store))
    assert filled.table.rows[-1].state == "measured"
    assert "dsf-dct/fd5 seed 2" in filled.evaluations
    text = markdown_of(filled.table, comparable=True)
    assert "mean over 3 seeds, with standard deviation and range" in text
    assert "71.43 (sd 28.57; 42.86–100.00)" in text
    lines = csv_of(filled.table, comparable=True).splitlines()
    assert lines[0].endswith(",sd,lowest,highest,seeds")
    assert any(line.endswith(",3") for line in lines)


def test_a_window_without_its_seeds_names_the_job_that_trains_them() -> None:
    assert line_of(TABLE_2) == "nrdfer run table_2"
    assert line_of(TABLE_2, 3) == "dagster job backfill -j table_1 --all --noprompt"


def test_pairs_are_tested_on_the_answers_of_their_rows(store: Store) -> None:
    results = Results(PROFILE, store)
    for name in FOLDS:
        pretend(store, PROFILE, name, right=6)
    found = compare_pairs(TABLE_1, results)
    (pair,) = found.comparisons
    assert (pair.a.name, pair.b.name) == ("h", "g")
    right = [int(clip) % 7 < 6 for clip in pair.a.clip_ids]
    neutral = [int(clip) % 7 == EMOTIONS.index("neutral") for clip in pair.b.clip_ids]
    assert pair.a.right[0].tolist() == right and pair.b.right[0].tolist() == neutral
    expected = binomtest(pair.mcnemar[0].only_a, pair.mcnemar[0].only_a + pair.mcnemar[0].only_b).pvalue
    assert found.adjusted == pytest.approx((expected,), abs=1e-12)
    table = pair_table(found)
    assert table.line == "nrdfer compare table_1/h table_1/g"
    assert "Not run: e − a" in table.note
    assert len(csv_of(table, comparable=True).splitlines()) == 3
    assert "| h − g |" in markdown_of(table, comparable=True)


def test_seeds_of_a_row_keep_their_numbers_where_one_is_not_complete(store: Store) -> None:
    several = with_seeds(store, 3)
    ours = TABLE_1.experiment("dsf-dct")
    for seed, folds in ((0, FOLDS), (1, FOLDS[:-1]), (2, FOLDS)):
        for name in folds:
            pretend(store, profile_of(several, ours, seed), name, right=3 + 2 * seed)
    found = row_of_address("table_1/h", Results(several, store), "honest")
    assert found is not None
    assert (found.seeds, len(found.predicted), len(found.trainings)) == ((0, 2), 2, 2)
    assert found.values(WAR, MEAN) == pytest.approx([100 * 3 / 7, 100])


def test_a_row_has_an_address(store: Store) -> None:
    results = Results(PROFILE, store)
    with pytest.raises(NrdferError, match="run: dagster job backfill -j table_1"):
        row_of_address("table_1/h", results, "honest")
    with pytest.raises(NrdferError, match="it has a, b, c"):
        row_of_address("table_1/z", results, "honest")
    with pytest.raises(NrdferError, match="no row 'EmotiW"):
        row_of_address("table_4/EmotiW-2019 baseline", results, "honest")
    assert row_of_address("somewhere/else", results, "honest") is None


def test_every_pair_names_rows_that_are_trained() -> None:
    for name, pairs in PAIRS.items():
        trained = {row.label for row in TABLES[name].rows if row.experiment}
        assert {label for pair in pairs for label in pair} <= trained
        assert len(set(map(frozenset, pairs))) == len(pairs)


def test_an_experiments_profile_is_made_once_for_all_splits_and_tables(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(profile: Profile, experiment: Experiment, seed: int = 0) -> Profile:
        made.append(f"{experiment.name} {experiment.model} {experiment.settings} {experiment.recipe} {seed}")
        return profile_of(profile, experiment, seed)

    monkeypatch.setattr("nrdfer.experiments.results.profile_of", counted)
    results = Results(PROFILE, store)
    for table in (TABLE_1, TABLE_4, TABLE_1):
        fill(table, results)
    assert len(made) == len(set(made)) >= len(TABLE_1.experiments)
    other = dataclasses.replace(TABLE_1.experiments[0], recipe={"lr": 0.5})
    known = results.training(TABLE_1.experiments[0], "fd1")
    assert results.training(other, "fd1").digest(store) != known.digest(store)
