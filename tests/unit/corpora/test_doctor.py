"""What the doctor says of whole copies, of copies with known deviations, and of broken ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.core.emotions import AFEW_FOLDERS
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.base import Examination
from nrdfer.corpora.dfew import DFEW
from nrdfer.corpora.lists import read_list
from nrdfer.corpora.published import AFEW_EMOTIONS

pytestmark = pytest.mark.slow


def _texts(found: Examination, level: str) -> str:
    return "\n".join(finding.text for finding in found.findings if finding.level == level)


@pytest.fixture(scope="module")
def lengths(shared_dir: Path) -> dict[str, int]:
    """True numbers of frames: fold 1's lists, which are not clamped."""
    lists = [shared_dir / "annotations" / "dfew_txt" / f"DFEW_set_1_{part}.txt" for part in ("train", "test")]
    return {line.name: line.frames for path in lists for line in read_list(path)}


@pytest.fixture(scope="module")
def whole(shared_dir: Path, lengths: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DFEW at full size: the real labels, every clip with as many (empty) pictures as it has, at most 30."""
    root = tmp_path_factory.mktemp("doctor") / "DFEW"
    shutil.copytree(shared_dir / "annotations" / "dfew_csv", root / "EmoLabel_DataSplit")
    for clip, frames in lengths.items():
        folder = root / "Clip" / "clip_224x224" / clip
        folder.mkdir(parents=True)
        for i in range(min(frames, 17)):
            (folder / f"{i}.jpg").touch()
    return root


def test_a_whole_copy_of_dfew(whole: Path) -> None:
    found = DFEW.examine(whole)
    assert found.usable
    ok = _texts(found, "ok")
    assert "labels from csv files" in ok
    assert "11,697 clips with faces, in every emotion as many as published" in ok
    assert "test folds of 2341, 2341, 2340, 2339, 2336 clips, as published" in ok
    assert "14 clips have fewer than 16 frames, as distributed" in _texts(found, "known")
    assert found.counts["lengths"]["least"] == 11
    # this copy's clips were cut to 17 frames for the test
    assert _texts(found, "warning").count("\n") == 0
    assert "frames, 11 to 17 a clip, median 17; known: 901,703" in _texts(found, "warning")


def test_clips_without_faces_folds_cut_short_and_clamped_lists_are_explained(
    whole: Path, shared_dir: Path, tmp_path: Path
) -> None:
    root = tmp_path / "DFEW"
    shutil.copytree(shared_dir / "annotations" / "dfew_txt", root)
    (root / "Clip").symlink_to(whole / "Clip")
    found = DFEW.examine(root)
    assert "labels from txt files" in _texts(found, "ok")
    assert "text lists give 16 frames to 14 clips that have fewer" in _texts(found, "known")
    assert "another length than the disk" in _texts(found, "warning")  # cut to 17 frames

    # a broken list beside good csvs is told, and stops nothing
    both = tmp_path / "both"
    shutil.copytree(shared_dir / "annotations" / "dfew_csv", both / "EmoLabel_DataSplit")
    (both / "Clip").symlink_to(whole / "Clip")
    (both / "DFEW_set_1_train.txt").write_text("/faces/happy 30 0\n")
    mixed = DFEW.examine(both)
    assert mixed.usable
    assert "labels from csv files" in _texts(mixed, "ok")
    assert "'happy' is not the number of a clip" in _texts(mixed, "warning")

    partial = tmp_path / "partial"
    shutil.copytree(shared_dir / "annotations" / "dfew_csv", partial / "EmoLabel_DataSplit")
    faces = partial / "Clip" / "clip_224x224"
    faces.mkdir(parents=True)
    for folder in sorted((whole / "Clip" / "clip_224x224").iterdir())[5:]:
        (faces / folder.name).symlink_to(folder)
    short = DFEW.examine(partial)
    assert "11,692 clips with faces; published: 11,697 in all" in _texts(short, "warning")
    assert "test folds differ from the published ones" in _texts(short, "warning")
    assert "5 are excluded, e.g. 00001" in _texts(short, "warning")
    assert short.usable


def test_a_copy_that_cannot_be_used_is_an_error_and_exit_1(tmp_path: Path) -> None:
    (tmp_path / "Clip" / "clip_224x224_16f" / "00001").mkdir(parents=True)
    done = CliRunner().invoke(app, ["doctor", "--dfew", str(tmp_path), "--json"])
    assert done.exit_code == 1
    (found,) = json.loads(done.output)
    assert found["usable"] is False
    assert found["findings"][0]["level"] == "error"


def test_nothing_to_look_at_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NRDFER_DFEW_ROOT", raising=False)
    monkeypatch.delenv("NRDFER_AFEW_ROOT", raising=False)
    done = CliRunner().invoke(app, ["doctor", "--corpora"])
    assert done.exit_code == 1
    assert "NRDFER_DFEW_ROOT" in done.output


def _afew(root: Path, changes: dict[tuple[str, str], int]) -> Path:
    names = {emotion: name for name, emotion in AFEW_FOLDERS.items()}
    for split, folder in (("train", "Train_AFEW"), ("val", "Val_AFEW")):
        for emotion, clips in AFEW_EMOTIONS[split].items():
            place = root / folder / names[emotion]
            place.mkdir(parents=True)
            for i in range(clips + changes.get((split, emotion), 0)):
                (place / f"{i:09d}.avi").touch()
    return root


def test_a_whole_copy_of_afew(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--afew", str(_afew(tmp_path, {}))], env={"NRDFER_DFEW_ROOT": None})
    assert done.exit_code == 0
    assert "train: 773 clips, in every emotion as many as distributed" in done.output
    assert "val: 383 clips, in every emotion as many as distributed" in done.output


@pytest.mark.parametrize(
    ("changes", "level", "message"),
    [
        ({("val", "happiness"): -1, ("val", "surprise"): -1}, "known", "val: 381 of 383 clips: what is evaluated"),
        ({("train", "fear"): -2}, "known", "train: 771 of 773 clips: Emotion-FAN's list"),
        ({("train", "neutral"): -2, ("train", "anger"): 2}, "known", "labels were moved (neutral -2, anger +2)"),
        ({("train", "fear"): -40}, "warning", "train: 733 clips; distributed: 773 in all, fear -40"),
    ],
)
def test_deviations_of_afew_are_told_apart(
    tmp_path: Path, changes: dict[tuple[str, str], int], level: str, message: str
) -> None:
    found = AFEW.examine(_afew(tmp_path, changes))
    assert message in _texts(found, level)
    assert found.usable


def test_a_folder_that_is_no_afew(tmp_path: Path) -> None:
    found = AFEW.examine(tmp_path)
    assert not found.usable
    assert "neither Train_AFEW nor Val_AFEW" in _texts(found, "error")
