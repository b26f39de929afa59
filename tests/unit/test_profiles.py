from __future__ import annotations

from pathlib import Path

import pytest

from assets.workbench import Workbench
from nrdfer.errors import ProfileError, StoreError
from nrdfer.profiles import config_digest, last_made, made_with, profile_of_shell, shipped_profiles
from nrdfer.store import Store
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
