"""A training's folder: given to one training, forbidden to no corrected line, and nothing of the user's is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nrdfer.core.errors import NotOursError, NrdferError, TrainingError
from nrdfer.core.own_files import write_made
from nrdfer.training import run_folder
from nrdfer.training.checkpoint import save_checkpoint
from nrdfer.training.run_folder import RESULTS, SETTINGS, WORK, claim, finish, results, withdraw

ONE: dict[str, Any] = {"recipe": {"lr": 0.3}}
OTHER: dict[str, Any] = {"recipe": {"lr": 0.1}}
OF_USER = ("checkpoint-best-of-monday.pt", "checkpoint-notes.txt", "checkpoint-1.pt", "rank-notes-error.json")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def step(out: Path) -> Path:
    (out / WORK).mkdir(exist_ok=True)
    return save_checkpoint(out / WORK, 1, {}, {})


def trained(out: Path) -> None:
    claim(out, ONE)
    results(out).mkdir(parents=True)
    for name in RESULTS:
        (results(out) / name).write_bytes(b"a result")
    step(out)
    finish(out, {"epochs": 1})


def users_files(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in OF_USER:
        (folder / name).write_text("mine")
    (folder / "checkpoint-backup").mkdir()
    (folder / "checkpoint-backup" / "a.pt").write_text("mine")


def are_there(folder: Path) -> bool:
    return all((folder / name).read_text() == "mine" for name in (*OF_USER, "checkpoint-backup/a.pt"))


def test_a_start_that_was_killed_before_its_first_step_forbids_no_corrected_line(out: Path) -> None:
    claim(out, ONE)
    results(out).mkdir(parents=True)
    (out / WORK / "train.jsonl").write_text('{"kind": "start"}\n')
    assert claim(out, OTHER) is None
    assert run_folder.read_settings(out) == OTHER
    assert not (out / WORK).exists()


def test_a_step_that_did_not_fit_on_the_disk_forbids_no_corrected_line(out: Path) -> None:
    claim(out, ONE)
    (out / WORK).mkdir()
    (out / WORK / "checkpoint-000000001.tmp").write_bytes(b"half")
    withdraw(out)
    assert [path.name for path in out.iterdir() if not path.name.startswith(".")] == []
    assert claim(out, OTHER) is None


def test_a_training_that_has_begun_is_still_not_given_to_another(out: Path) -> None:
    claim(out, ONE)
    step(out)  # then it was killed
    with pytest.raises(TrainingError, match="training of other settings"):
        claim(out, OTHER)
    assert claim(out, ONE) is None


def test_a_training_that_failed_forbids_no_corrected_line_and_loses_nothing(out: Path) -> None:
    claim(out, ONE)
    kept = step(out).name
    withdraw(out)  # as after a loss that is no number
    assert claim(out, ONE) is None and (out / WORK / kept).exists()  # the same line continues
    with pytest.raises(TrainingError, match="training of other settings"):  # and is killed
        claim(out, OTHER)
    withdraw(out)
    assert claim(out, OTHER) is None
    assert run_folder.read_settings(out) == OTHER
    assert (out / "failed-1" / kept).exists() and not (out / WORK).exists()
    step(out)
    withdraw(out)
    assert claim(out, ONE) is None and (out / "failed-2" / kept).exists()


def test_a_finished_training_never_counts_as_failed(out: Path) -> None:
    trained(out)
    withdraw(out)
    with pytest.raises(TrainingError, match="training of other settings"):
        claim(out, OTHER)


def test_files_that_have_the_names_of_results_are_not_replaced(out: Path) -> None:
    claim(out, ONE)
    (out / "last.safetensors").write_bytes(b"mine")
    with pytest.raises(NrdferError, match="was not made by nrdfer"):
        claim(out, ONE)
    assert (out / "last.safetensors").read_bytes() == b"mine"


def test_a_folder_of_another_project_loses_nothing(out: Path) -> None:
    """Others write a file of this name, too."""
    (out / SETTINGS).write_text('{"batch": 32}')
    (out / WORK).mkdir()
    (out / WORK / "train.jsonl").write_text("mine")
    with pytest.raises(NotOursError, match=r"training\.json is there and was not made by nrdfer"):
        claim(out, ONE)
    withdraw(out)
    assert (out / WORK / "train.jsonl").read_text() == "mine" and (out / SETTINGS).exists()


def test_what_a_user_keeps_beside_checkpoints_stays(out: Path) -> None:
    claim(out, ONE)
    users_files(out / WORK)
    (out / WORK / "checkpoint-000000001.tmp").write_bytes(b"half")
    withdraw(out)
    assert are_there(out / WORK) and not (out / WORK / "checkpoint-000000001.tmp").exists()


def test_the_end_of_a_training_removes_its_own_checkpoints_only(out: Path) -> None:
    (out / WORK).mkdir()
    write_made(out / SETTINGS, b'{"recipe": {"lr": 0.3}}')
    users_files(out / WORK)
    trained(out)
    assert are_there(out / WORK)
    assert [path.name for path in (out / WORK).glob("checkpoint-0*")] == []
    assert claim(out, ONE) == {"epochs": 1}


@pytest.mark.parametrize(("change", "words"), [("bit", "was changed since"), ("gone", "last.safetensors is missing")])
def test_a_finished_training_is_not_finished_without_its_network(out: Path, change: str, words: str) -> None:
    trained(out)
    weights = out / "last.safetensors"
    if change == "bit":
        weights.write_bytes(b"b result")
    else:
        weights.unlink()
    with pytest.raises(NrdferError, match=words):
        claim(out, ONE)


@pytest.mark.parametrize("content", ["", "{", "[]", "\xff"])
def test_a_damaged_description_is_told_in_words(out: Path, content: str) -> None:
    (out / SETTINGS).write_bytes(content.encode("latin-1"))
    with pytest.raises(TrainingError, match=r"training\.json does not describe a training"):
        claim(out, ONE)
