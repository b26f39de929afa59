from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from assets.project_resource import Workbench
from nrdfer.config.resolve import profile_of_shell, resolve_profile, shipped_profiles
from nrdfer.config.settings import merge
from nrdfer.core.errors import ProfileError, StoreError
from nrdfer.store import Store
from nrdfer.store.pointers import config_digest, last_made, made_with
from pipelines.resources import PROFILES


@pytest.fixture(autouse=True)
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that sets nothing but where things are kept."""
    for name in ("PROFILE", "PROFILES", "AFEW_ROOT", "DFEW_ROOT", "WEIGHTS"):
        monkeypatch.delenv(f"NRDFER_{name}", raising=False)
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))


def test_the_shipped_profiles_are_those_of_the_graph() -> None:
    assert shipped_profiles() == PROFILES
    assert profile_of_shell().name == "sample"


def test_the_shell_means_the_same_for_dagster_and_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"AFEW_ROOT": "/data/AFEW", "DFEW_ROOT": "/data/DFEW", "WEIGHTS": "/data/weights", "PROFILE": "paper"}
    for name, value in given.items():
        monkeypatch.setenv(f"NRDFER_{name}", value)
    workbench = Workbench(
        profile="paper",
        profiles_folder=str(PROFILES),
        afew_root="/data/AFEW",
        dfew_root="/data/DFEW",
        weights_folder="/data/weights",
    )
    profile = profile_of_shell()
    assert profile == workbench.settings
    assert profile.corpora.dfew_root == "/data/DFEW"
    assert config_digest(profile) == workbench.config_digest
    assert made_with(profile).root == workbench.pointers.root


def test_what_was_made_with_other_settings_is_not_found(tmp_path: Path) -> None:
    workbench = Workbench(profile="sample", profiles_folder=str(PROFILES))
    store = Store(tmp_path / "home" / "store")
    made = store.build("dfew/shards", code_version="1", config={}, inputs={}, build=lambda out: {})
    workbench.pointers.set("dfew/shards", made)
    assert last_made(profile_of_shell(), "dfew/shards", "--shards").path == made.path
    other = Workbench(profile="sample", profiles_folder=str(PROFILES), overrides={"chunk_clips": 5})
    with pytest.raises(StoreError, match=r"has not been made with the profile 'sample'.*give --shards"):
        last_made(other.settings, "dfew/shards", "--shards")


def test_a_folder_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_PROFILES", str(tmp_path))
    with pytest.raises(ProfileError, match=f"no profile 'sample' in {tmp_path}"):
        profile_of_shell()
    (tmp_path / "mine.yaml").write_text("{name: mine, description: x}")
    assert profile_of_shell("mine").name == "mine"


NAMES = ["../../x", "/etc/passwd", "..", "a/b", "a\\b", "a\nb", "x" * 300, "con", "name.", "a\u2215b", "", " ", "~"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_profile_named_like_a_path_is_refused_wherever_its_name_comes_from(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.yaml").write_text(json.dumps({"name": name, "description": "x"}))
    monkeypatch.setenv("NRDFER_PROFILES", str(tmp_path))
    refused = r"profile '.*' cannot be used as a name"
    with pytest.raises(ProfileError, match=refused):
        profile_of_shell("mine")  # by what the file says
    with pytest.raises(ProfileError, match=refused):
        resolve_profile(name, tmp_path)
    with pytest.raises(ProfileError, match=refused):
        _ = Workbench(profile=name, profiles_folder=str(tmp_path)).settings
    with pytest.raises(ProfileError, match=refused):
        resolve_profile("sample", PROFILES, overrides={"name": name})
    monkeypatch.setenv("NRDFER_PROFILE", name)
    with pytest.raises(ProfileError, match=refused):
        profile_of_shell()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml"]


def test_settings_of_a_run_that_json_has_no_word_for_are_refused() -> None:
    for odd in (float("nan"), float("inf"), datetime.date(2026, 1, 1), b"x", {1}, {3: "x"}, 10**30):
        with pytest.raises(ProfileError, match="what is laid over the profile: align"):
            resolve_profile("sample", PROFILES, overrides={"align": {"size": odd}})


def test_recipes_named_by_something_else_than_text_are_refused() -> None:
    for odd in ([1], {"a": 1}, 3, None):
        with pytest.raises(ProfileError, match="there is no recipe"):
            resolve_profile("sample", PROFILES, overrides={"dfew_recipe": {"name": odd}})
        with pytest.raises(ProfileError, match="there is no preset"):
            resolve_profile("sample", PROFILES, overrides={"noise": {"preset": odd}})


def test_a_list_where_named_settings_are_meant_is_refused_in_words() -> None:
    with pytest.raises(ProfileError, match=r"\[1\] \(list\) is given instead of named settings"):
        merge({"a": 1}, [1])  # type: ignore[arg-type]
