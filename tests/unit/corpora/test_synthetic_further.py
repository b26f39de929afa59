"""Small copies of further corpora: each is laid out as its own reader expects it, and says what a whole copy has."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.config.rendering import CorpusSettings
from nrdfer.corpora.base import Contents
from nrdfer.corpora.registry import CORPORA, trained_corpora
from nrdfer.corpora.synthetic.expression import prototype
from nrdfer.corpora.synthetic.further import LAYOUTS, MOST_PEOPLE, plan_copy
from nrdfer.corpora.synthetic.jobs import ClipJob

TINY = CorpusSettings.tiny()


def empty_copy(name: str, root: Path, settings: CorpusSettings = TINY) -> list[ClipJob]:
    """A copy's folders, names and label files without pictures: rendering them takes long."""
    jobs = plan_copy(name, settings)
    for job in jobs:
        path = root / job.path if job.is_video else root / job.path / "1.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")
    LAYOUTS[name].write_labels(root, jobs)
    return jobs


def test_every_further_corpus_has_a_copy() -> None:
    assert set(LAYOUTS) == {corpus.name for corpus in trained_corpora() if corpus.rendered_alone}
    assert all(
        tuple(LAYOUTS[name].emotions) and set(LAYOUTS[name].emotions) == set(CORPORA[name].emotions) for name in LAYOUTS
    )


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("people", [5, 120])
def test_a_copy_is_read_as_it_was_planned(name: str, people: int, tmp_path: Path) -> None:
    jobs = empty_copy(name, tmp_path, dataclasses.replace(TINY, identities=people))
    contents: Contents[object] = CORPORA[name].read(tmp_path)
    emotions = {clip.clip_id: clip.emotion for clip in contents.clips}  # type: ignore[attr-defined]
    assert emotions == {job.clip_id: job.emotion for job in jobs}
    assert len({job.person for job in jobs}) == min(people, MOST_PEOPLE)
    for k, fold in contents.folds.items():
        tested = {job.clip_id for job in jobs if job.split in (str(k), "test")}
        assert (set(fold.test), set(fold.train)) == (tested, set(emotions) - tested)
    people_of = {job.clip_id: job.person for job in jobs}
    for fold in contents.folds.values():
        assert {people_of[clip] for clip in fold.train}.isdisjoint(people_of[clip] for clip in fold.test)


def test_no_two_corpora_share_people_or_clips() -> None:
    jobs = [job for name in LAYOUTS for job in plan_copy(name, TINY)]
    assert len({job.number for job in jobs}) == len(jobs)
    assert len({job.person for job in jobs}) == 5 * len(LAYOUTS)


def test_every_emotion_has_its_own_face() -> None:
    emotions = sorted({emotion for layout in LAYOUTS.values() for emotion in layout.emotions})
    assert len(emotions) == 12
    assert len({tuple(prototype(emotion)) for emotion in emotions}) == 12


@pytest.mark.parametrize("name", LAYOUTS)
def test_doctor_compares_a_copy_with_what_is_known(name: str, tmp_path: Path) -> None:
    jobs = empty_copy(name, tmp_path)
    looked = CORPORA[name].examine(tmp_path)
    assert looked.usable
    assert looked.counts["labelled"] == len(jobs)
    assert sum(looked.counts["clips"].values()) == len(jobs)
    text = "\n".join(finding.text for finding in looked.findings if finding.level == "warning")
    assert f"{sum(CORPORA[name].published.values()):,} in all" in text
    done = CliRunner().invoke(app, ["doctor", "--corpus", f"{name}={tmp_path / 'nothing'}", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.output)[0]["findings"][0]["level"] == "error"


def test_doctor_tells_what_is_left_out(tmp_path: Path) -> None:
    empty_copy("ravdess", tmp_path / "ravdess")
    for path in list((tmp_path / "ravdess").rglob("01-01-02-*.mp4")):
        path.with_name(f"02{path.name[2:]}").write_bytes(b"the same, without sound")
    (path.parent / f"01-02{path.name[5:]}").write_bytes(b"sung")
    text = "\n".join(finding.text for finding in CORPORA["ravdess"].examine(tmp_path / "ravdess").findings)
    assert "5 videos without sound are left out" in text
    assert "1 takes of another channel are left out" in text
    empty_copy("mafw", tmp_path / "mafw")
    (tmp_path / "mafw" / "data" / "clips" / "20045.mp4").write_bytes(b"several emotions")
    text = "\n".join(finding.text for finding in CORPORA["mafw"].examine(tmp_path / "mafw").findings)
    assert "1 of 56 videos have no label; known: 10,045" in text


def test_only_corpora_with_a_layout_are_rendered(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["corpus", "render", "--out", str(tmp_path / "copy"), "--corpus", "dfew"])
    assert refused.exit_code == 1
    assert "there is no copy of it to render; give ferv39k, mafw" in refused.output


def test_the_copies_pictures_show_faces(tmp_path: Path) -> None:
    from nrdfer.corpora.synthetic.jobs import render_clip

    settings = dataclasses.replace(TINY, frames=(2, 2), afew_frames=(2, 2))
    jobs = [
        next(job for job in plan_copy(name, settings) if job.emotion != "neutral") for name in ("mafw_faces", "cremad")
    ]
    faces, video = (render_clip(job, settings, tmp_path) for job in jobs)
    pictures = sorted((tmp_path / str(faces["path"])).iterdir())
    assert [cv2.imread(str(path)).shape for path in pictures] == [(224, 224, 3)] * 2
    assert (tmp_path / str(video["path"])).read_bytes()[:3] == b"FLV"
    assert (video["corpus"], video["frames"]) == ("cremad", 2)
