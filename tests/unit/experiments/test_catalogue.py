from __future__ import annotations

import re

import pytest

from nrdfer.config.profile import Profile
from nrdfer.corpora.dfew import DFEW
from nrdfer.experiments.catalogue import FILTER_THRESHOLDS, TABLES, TableSpec
from nrdfer.experiments.profiles import profile_of
from nrdfer.experiments.published import published
from nrdfer.models.names import TITLES
from nrdfer.models.registry import MODELS, resolve_settings
from nrdfer.training.request import network_settings

PAPER = Profile.read({"name": "paper", "description": "", "afew_recipe": {"name": "afew-paper"}}, "profile paper")
tables = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))


@tables
def test_every_published_row_is_there_under_the_papers_name_and_no_other(table: TableSpec) -> None:
    if table is FILTER_THRESHOLDS:
        return  # the supplement's figures are not published in the paper
    assert [row.label for row in table.rows] == list(published(table.number))


@tables
def test_every_experiment_is_used_and_can_be_trained(table: TableSpec) -> None:
    assert {row.experiment for row in table.rows if row.experiment} == set(table.names)
    assert len(set(table.names)) == len(table.names)
    for experiment in table.experiments:
        assert re.fullmatch(r"[a-z0-9-]+", experiment.name)  # partition keys: no comma, no bar
        profile = profile_of(PAPER, experiment)
        assert network_settings(profile, DFEW)
        assert profile.recipe_for("dfew").epochs == 70
        assert profile.recipe_for("afew").epochs == 30


def test_the_published_network_is_the_profiles_own() -> None:
    own = resolve_settings("nr-dfernet", {})
    for name, experiment in (("table_1", "dsf-dct"), ("table_2", "nr-dfernet"), ("table_3", "m2-n4")):
        found = profile_of(PAPER, TABLES[name].experiment(experiment))
        assert resolve_settings(found.model, found.model_settings, found.model_preset) == own
        assert found.recipe_for("dfew") == PAPER.recipe_for("dfew")


def test_components_are_those_that_the_papers_text_compares() -> None:
    rows = {row.label: (dict(row.cells), row.reading.sf) for row in TABLES["table_1"].rows}
    for one, other, component in (("a", "e", "DSF"), ("b", "f", "DSF"), ("d", "h", "DSF"), ("e", "g", "DCT")):
        differing = {name for name in ("DSF", "DCT", "SF") if rows[one][0][name] != rows[other][0][name]}
        assert differing == {component}
    assert rows["a"][0] == {"DSF": "", "DCT": "", "SF": ""}
    assert all(rows["h"][0].values())
    assert all((cells["SF"] == "yes") == sf for cells, sf in rows.values())


def test_depths_and_sampling_reach_the_network_and_the_recipe() -> None:
    deep = profile_of(PAPER, TABLES["table_3"].experiment("m3-n6"))
    assert (network_settings(deep, DFEW)["spatial_depth"], network_settings(deep, DFEW)["temporal_depth"]) == (3, 6)
    interpolated = profile_of(PAPER, TABLES["table_5"].experiment("c3d-ti"))
    assert (interpolated.model, interpolated.recipe_for("dfew").sampling.strategy) == ("c3d", "ti")
    oversampled = profile_of(PAPER, TABLES["table_5"].experiment("nr-dfernet-ds-oversampled"))
    assert oversampled.recipe_for("dfew").oversample


def test_titles_are_the_registrys() -> None:
    assert {name: entry.title for name, entry in MODELS.items()} == dict(TITLES)


def test_a_profile_can_change_single_networks() -> None:
    profile = PAPER.changed(
        model_preset="sample",
        model_settings={"image_size": 48},
        experiments={"settings": {"c3d": {"image_size": 32}}, "recipes": {"c3d": {"lr": 0.0002}}},
    )
    rival = profile_of(profile, TABLES["table_4"].experiment("c3d-ds"))
    assert (network_settings(rival, DFEW)["image_size"], rival.recipe_for("afew").lr) == (32, 0.0002)
    other = profile_of(profile, TABLES["table_4"].experiment("r3d-18-ds"))
    assert (network_settings(other, DFEW)["image_size"], other.recipe_for("dfew").lr) == (64, 0.001)
    assert network_settings(profile_of(profile, TABLES["table_1"].experiment("dct")), DFEW)["image_size"] == 48


def test_an_unknown_experiment_is_named() -> None:
    with pytest.raises(KeyError, match="table_3 has no experiment 'm9-n9'"):
        TABLES["table_3"].experiment("m9-n9")
