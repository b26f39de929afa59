"""A user's own corpus: defined once, found by every later process, read where its clips are."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from nrdfer.core.errors import CorpusError
from nrdfer.corpora.own_corpus import DEFINITION, OwnCorpus, define, folder_of, forget, own_corpora
from nrdfer.corpora.own_labels import LabelledPath


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    return tmp_path


def videos(project: Path, n: int = 4) -> list[LabelledPath]:
    rows = []
    for i in range(n):
        path = project / "clips" / f"p{i % 2}" / f"take.{i // 2}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        rows.append(LabelledPath(f"line {i}", path, True, ("joy", "rage")[i // 2 % 2], person=f"p{i % 2}"))
    return rows


def defined(project: Path) -> OwnCorpus:
    define("studio", ("joy", "rage"), videos(project), 2, [1, 2, 1, 2])
    (found,) = own_corpora()
    return found


def test_it_is_found_and_read_by_a_later_process(project: Path) -> None:
    corpus = defined(project)
    assert (corpus.name, corpus.splits, corpus.emotions) == ("studio", ("studio1", "studio2"), ("joy", "rage"))
    assert corpus.default_root == project / "clips"
    contents = corpus.read(project / "clips")
    assert [(clip.clip_id, clip.emotion, clip.person) for clip in contents.clips] == [
        ("p0_take-0", "joy", "p0"),
        ("p0_take-1", "rage", "p0"),
        ("p1_take-0", "joy", "p1"),
        ("p1_take-1", "rage", "p1"),
    ]
    assert contents.folds[1].test == ("p0_take-0", "p0_take-1") == contents.folds[2].train
    moved = project / "moved"
    (project / "clips").rename(moved)
    assert len(corpus.read(moved).clips) == 4
    with pytest.raises(CorpusError, match="clips does not exist; mount its disk, or set NRDFER_STUDIO_ROOT"):
        corpus.read(project / "clips")


def test_one_division_has_one_split(project: Path) -> None:
    corpus = define("studio", ("joy", "rage"), videos(project), 1, [0, 1, 0, 1])
    assert corpus.splits == ("studio",)
    contents = corpus.read(project / "clips")
    assert contents.folds[1].train == ("p0_take-0", "p0_take-1")


def test_a_folder_of_pictures_is_a_clip(project: Path) -> None:
    rows = []
    for name in ("a", "b"):
        (project / "faces" / name).mkdir(parents=True)
        for number in (10, 9):
            (project / "faces" / name / f"{number}.jpg").touch()
        rows.append(LabelledPath(f"line {name}", project / "faces" / name, False, name))
    contents = define("stills", ("a", "b"), rows, 1, [0, 1]).read(project / "faces")
    assert [clip.names for clip in contents.clips] == [("9.jpg", "10.jpg")] * 2
    with pytest.raises(CorpusError, match="line 0 is a video and line a a folder of pictures; a corpus has one kind"):
        define("both", ("a", "b"), [*rows, *videos(project)], 1, [0] * 6)


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": 2},
        {"name": "other"},
        {"emotions": ["joy"]},
        {"folds": 0},
        {"more": 1},
        {"emotions": [1, 2]},
        {"root": None},
        {"folds": 2.5},
        {"folds": 10**9},
        {"clips": "../clips.jsonl"},
    ],
)
def test_a_definition_that_cannot_be_read_stops_no_other(
    project: Path, damage: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    defined(project)
    define("other_one", ("joy", "rage"), videos(project), 2, [1, 2, 1, 2])
    path = folder_of("studio") / DEFINITION
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    with caplog.at_level(logging.WARNING):
        assert [corpus.name for corpus in own_corpora()] == ["other_one"]
    assert "does not define a corpus" in caplog.text and "add it again" in caplog.text


def test_only_the_definition_is_removed(project: Path) -> None:
    defined(project)
    (folder_of("studio") / "notes.txt").write_text("mine")
    assert forget("studio") and not forget("studio")
    assert [path.name for path in folder_of("studio").iterdir()] == ["notes.txt"]
    inside = [
        LabelledPath(f"line {i}", folder_of("studio") / f"{label}.mp4", True, label) for i, label in enumerate("ab")
    ]
    with pytest.raises(CorpusError, match="where the definition of studio belongs; move them elsewhere"):
        define("studio", ("a", "b"), inside, 1, [0, 1])


def test_a_list_of_clips_that_is_cut_is_refused(project: Path) -> None:
    corpus = defined(project)
    path = folder_of("studio") / corpus.definition.clips
    path.write_text(path.read_text()[:-20])
    with pytest.raises(
        CorpusError, match=r"clips-[0-9a-f]{16}\.jsonl does not list a corpus's clips .*add the corpus again"
    ):
        corpus.read(project / "clips")


@pytest.mark.parametrize("name", ["", "a", "Studio", "1st", "../x", "a-b", "a__b", "x" * 32])
def test_names_that_no_corpus_can_have(project: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a corpus"):
        define(name, ("joy", "rage"), videos(project), 2, [1, 2, 1, 2])
    assert not list(own_corpora())
