from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import pytest

from nrdfer.core import leases
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError, NotOursError
from nrdfer.core.own_files import NOTES
from nrdfer.corpora.afew import find_videos
from nrdfer.corpora.dfew import read_dfew
from nrdfer.corpora.synthetic import render
from nrdfer.corpora.synthetic.jobs import plan
from nrdfer.corpora.synthetic.render import CorpusSettings, render_corpus
from nrdfer.video.decode import iter_frames
from nrdfer.video.probe import probe

pytestmark = pytest.mark.slow

TINY = dataclasses.replace(
    CorpusSettings.tiny(), frames=(3, 4), afew_frames=(2, 3), n1_clips=1.0, n1_rate=0.3, n2_rate=0.5
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_corpus(tmp_path_factory.mktemp("rendered") / "corpus", TINY, workers=1)


def truths(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / "ground_truth.jsonl").read_text().splitlines()]


def hashes(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_our_own_reader_reads_dfew(corpus: Path) -> None:
    dfew = read_dfew(corpus / "DFEW")
    assert len(dfew.clips) == 5 * 7
    assert not dfew.excluded
    truth = {t["clip_id"]: t for t in truths(corpus) if t["corpus"] == "DFEW"}
    for clip in dfew.clips:
        assert clip.emotion == truth[clip.clip_id]["emotion"]
        assert len(clip.frames) == truth[clip.clip_id]["frames"]
        assert clip.frames[0].name == f"{clip.clip_id}_00001.jpg"
        picture = cv2.imread(str(clip.frames[-1]))
        assert picture is not None
        assert picture.shape == (224, 224, 3)


def test_folds_are_disjoint_in_people_and_a_fold_trains_on_the_others(corpus: Path) -> None:
    folds = read_dfew(corpus / "DFEW").folds
    person = {t["clip_id"]: t["identity"] for t in truths(corpus) if t["corpus"] == "DFEW"}
    for k, fold in folds.items():
        assert not {person[c] for c in fold.train} & {person[c] for c in fold.test}
        others = {c for j, other in folds.items() if j != k for c in other.test}
        assert set(fold.train) == others
    assert sorted(c for fold in folds.values() for c in fold.test) == sorted(person)


def test_label_files_are_as_distributed(corpus: Path) -> None:
    folder = corpus / "DFEW/EmoLabel_DataSplit"
    lines = (folder / "test(single-labeled)/set_3.csv").read_text().splitlines()
    assert lines[0] == "video_name,label"
    assert sorted(int(line.split(",")[1]) for line in lines[1:]) == [1, 2, 3, 4, 5, 6, 7]
    assert len((folder / "train(single-labeled)/set_3.csv").read_text().splitlines()) == 1 + 28


def test_our_own_reader_finds_afew_and_the_videos_play(corpus: Path) -> None:
    truth = {t["clip_id"]: t for t in truths(corpus) if t["corpus"] == "AFEW"}
    videos = find_videos(corpus / "AFEW")
    assert {video.clip_id for video in videos} == set(truth)
    assert Counter((video.split, video.emotion) for video in videos) == {
        (split, emotion): 1 for split in ("train", "val") for emotion in EMOTIONS
    }
    for video in videos[:3]:
        assert video.path.stem.isdigit()
        assert len(video.path.stem) == 9
        info = probe(video.path)
        assert (info.width, info.height, info.fps, info.codec) == (720, 576, 25.0, "mpeg4")
        assert sum(1 for _ in iter_frames(video.path)) == truth[video.clip_id]["frames"]


def test_nobody_is_in_two_splits_or_corpora(corpus: Path) -> None:
    people: dict[tuple[str, str], set[int]] = {}
    for truth in truths(corpus):
        people.setdefault((truth["corpus"], truth["split"]), set()).add(truth["identity"])
    everyone = [person for group in people.values() for person in group]
    assert len(everyone) == len(set(everyone))
    assert len(people) == 2 + 5


def test_the_truth_is_complete(corpus: Path) -> None:
    for truth in truths(corpus):
        assert (corpus / truth["path"]).exists()
        for name in ("noise", "intensity", "box", "points"):
            assert len(truth[name]) == truth["frames"]
        for noise, box, points in zip(truth["noise"], truth["box"], truth["points"], strict=True):
            assert (box is None) == (points is None) == (noise == "n1_noface")
        assert truth["n2_clip"] == ("n2_neutral" in truth["noise"])
        assert truth["corpus"] == "AFEW" or not (truth["dark"] or truth["second_person"])
    noise = Counter(kind for truth in truths(corpus) for kind in truth["noise"])
    assert {"none", "n2_neutral"} < set(noise)
    assert any(kind.startswith("n1_") for kind in noise)


def test_the_number_of_workers_changes_nothing(corpus: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    again = render_corpus(tmp_path / "again", TINY, progress=lambda *call: calls.append(call), workers=2)
    assert hashes(again) == hashes(corpus)
    assert calls[-1] == (49, 49)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_another_seed_gives_other_people() -> None:
    assert [job.clip_id for job in plan(TINY)] != [job.clip_id for job in plan(dataclasses.replace(TINY, seed=1))]


def test_a_corpus_that_is_there_is_not_rendered_again(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr(render, "_render_all", refuse)
    assert render_corpus(corpus, TINY) == corpus


def test_a_folder_with_something_else_is_left_alone(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(CorpusError, match="is not a rendered corpus"):
        render_corpus(tmp_path, TINY)
    assert (tmp_path / "mine").read_text() == "precious"
    with pytest.raises(CorpusError, match=r"other settings \(n1_rate, seed\)"):
        render_corpus(corpus, dataclasses.replace(TINY, seed=7, n1_rate=0.0))


def test_an_older_rendering_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_render_all", lambda *_: [])
    with monkeypatch.context() as older:
        older.setattr(render, "RENDERING", "0")
        older.setattr(render, "TRUTH", "stale")
        out = render_corpus(tmp_path / "corpus", TINY)
    assert (out / "stale").exists()
    render_corpus(out, TINY)
    assert json.loads((out / "settings.json").read_text())["rendering"] == render.RENDERING
    assert not (out / "stale").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"corpus", NOTES}


def test_an_older_rendering_with_files_of_the_user_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "_render_all", lambda *_: [])
    with monkeypatch.context() as older:
        older.setattr(render, "RENDERING", "0")
        out = render_corpus(tmp_path / "corpus", TINY)
    (out / "AFEW").mkdir()
    (out / "AFEW" / "annotations.txt").write_text("precious")
    with pytest.raises(NotOursError, match="was changed since"):
        render_corpus(out, TINY)
    assert (out / "AFEW" / "annotations.txt").read_text() == "precious"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_leaves_nothing(tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # a file stands where worker processes want to make a folder
    real = Path.mkdir

    def mkdir(self: Path, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        if self.name == "fresh":
            (self / "AFEW").write_text("in the way")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(CorpusError, match="could not be written"):
        render_corpus(tmp_path / "corpus", TINY, workers=workers)
    assert not list(tmp_path.iterdir())


def test_leftovers_of_dead_processes_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_render_all", lambda *_: [])
    dead, alive, users = (tmp_path / f".nrdfer-unfinished-{name}" for name in ("dead", "alive", "users"))
    for folder in (dead, alive, users):
        folder.mkdir()
    with leases.held_file(dead / "nrdfer.json"):
        pass
    with leases.held_file(alive / "nrdfer.json"):
        render_corpus(tmp_path / "corpus", TINY)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"corpus", NOTES, ".nrdfer-unfinished-alive", ".nrdfer-unfinished-users"}


@pytest.mark.parametrize(
    "values",
    [
        {"identities": 7},
        {"identities": 0},
        {"frames": (5, 4)},
        {"frames": (1, 4)},
        {"afew_frames": (3,)},
        {"n1_rate": 0.9},
        {"n1_clips": -0.1},
        {"n2_rate": 1.5},
        {"dark_rate": 2},
        {"afew_val_identities": 0},
        {"amplitude": -1},
        {"jpeg_quality": 0},
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        CorpusSettings(**values)


def test_the_default_is_the_sample() -> None:
    jobs = plan(CorpusSettings())
    assert Counter(job.corpus for job in jobs) == {"AFEW": 112, "DFEW": 840}
    assert Counter(job.split for job in jobs) == {"train": 70, "val": 42, **{str(k): 168 for k in range(1, 6)}}
    assert len({job.clip_id for job in jobs}) == 952


def test_lists_as_yaml_gives_them_are_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_render_all", lambda *_: [])
    out = render_corpus(tmp_path / "corpus", TINY)
    listed = dataclasses.replace(TINY, frames=[3, 4], afew_frames=[2, 3])  # type: ignore[arg-type]
    assert render_corpus(out, listed) == out
