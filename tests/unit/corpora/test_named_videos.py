"""CREMA-D and RAVDESS: labels from names, folds of people, and readable refusals."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from nrdfer.core.errors import CorpusError
from nrdfer.corpora import ravdess
from nrdfer.corpora.base import Contents, Corpus, VideoClip
from nrdfer.corpora.cremad import CREMAD
from nrdfer.corpora.ravdess import CHANNELS, RAVDESS
from nrdfer.preprocessing.corpus_listing import VideoListing, list_videos, listing_inputs
from nrdfer.store import digest_of


def write(root: Path, names: list[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"video")
    return root


@pytest.fixture
def cremad(tmp_path: Path) -> Path:
    codes = ("HAP", "SAD", "NEU", "ANG", "DIS", "FEA")
    names = [f"VideoFlash/{actor}_IEO_{code}_HI.flv" for actor in range(1001, 1011) for code in codes]
    return write(tmp_path / "CREMA-D", names)


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    names = [
        f"Video_Speech_Actor_{actor:02d}/Actor_{actor:02d}/{modality}-01-{emotion:02d}-01-01-01-{actor:02d}.mp4"
        for actor in range(1, 13)
        for emotion in range(1, 9)
        for modality in ("01", "02")
    ]
    return write(tmp_path / "RAVDESS", names)


def people(contents: Contents[VideoClip], fold: int, part: str) -> set[str]:
    who = {clip.clip_id: clip.person for clip in contents.clips}
    return {who[clip_id] for clip_id in getattr(contents.folds[fold], part)}


def test_cremads_names_are_its_labels(cremad: Path) -> None:
    contents = CREMAD.read(cremad)
    assert Counter(clip.emotion for clip in contents.clips) == dict.fromkeys(CREMAD.emotions, 10)
    assert contents.clips[0].clip_id == "1001_IEO_ANG_HI"
    assert (contents.clips[0].person, contents.clips[0].emotion) == ("1001", "anger")
    assert people(contents, 2, "test") == {"1002", "1007"}


def test_who_is_filmed_is_part_of_a_listings_digests(cremad: Path, tmp_path: Path) -> None:
    contents = CREMAD.read(cremad)
    others = replace(contents, clips=[replace(clip, person="1") for clip in contents.clips])
    nobody = replace(contents, clips=[replace(clip, person="") for clip in contents.clips])
    inputs = [listing_inputs(cremad, each)["labels"] for each in (contents, others, nobody)]
    assert len(set(inputs)) == 3
    labels = {k: [fold.train, fold.test] for k, fold in nobody.folds.items()}
    emotions = {clip.clip_id: clip.emotion for clip in nobody.clips}
    assert inputs[2] == digest_of([labels, emotions])  # as for corpora that name nobody
    digests = []
    for number, each in enumerate((contents, others, nobody)):
        (out := tmp_path / str(number)).mkdir()
        digests.append(list_videos(CREMAD, each, out)["content_digest"])
        assert VideoListing(CREMAD, out).content_digest() == digests[-1]
    assert len(set(digests)) == 3


def test_ravdess_reads_one_video_of_each_take(speech: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = speech / "Video_Speech_Actor_05" / "Actor_05"
    (whole / "01-01-03-01-01-01-05.mp4").unlink()  # its twin without sound takes its place
    contents = RAVDESS.read(speech)
    assert Counter(clip.emotion for clip in contents.clips) == dict.fromkeys(RAVDESS.emotions, 12)
    assert Counter(clip.clip_id[:2] for clip in contents.clips) == {"01": 95, "02": 1}
    assert people(contents, 1, "test") == {"01", "02", "11", "12"}


@pytest.mark.parametrize("corpus", [CREMAD, RAVDESS])
def test_nobody_is_in_train_and_test(corpus: Corpus, cremad: Path, speech: Path) -> None:
    contents = corpus.read(cremad if corpus is CREMAD else speech)
    for k in contents.folds:
        assert people(contents, k, "train").isdisjoint(people(contents, k, "test"))
    tested = [clip_id for fold in contents.folds.values() for clip_id in fold.test]
    assert sorted(tested) == [clip.clip_id for clip in contents.clips]


def test_songs_are_read_if_they_are_asked_for(speech: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(speech, [f"Video_Song_Actor_{actor:02d}/01-02-03-01-01-01-{actor:02d}.mp4" for actor in range(1, 13)])
    assert len(RAVDESS.read(speech).clips) == 96
    monkeypatch.setenv(CHANNELS, "speech, song")
    assert len(RAVDESS.read(speech).clips) == 108
    monkeypatch.setenv(CHANNELS, "song")
    assert len(RAVDESS.read(speech).clips) == 12
    monkeypatch.setenv(CHANNELS, "dance")
    with pytest.raises(CorpusError, match="'dance' is no channel of RAVDESS"):
        RAVDESS.read(speech)
    monkeypatch.setenv(CHANNELS, "song")
    for folder in speech.glob("Video_Song_*"):
        shutil.rmtree(folder)
    with pytest.raises(CorpusError, match=r"all 96 videos of RAVDESS .* are of another channel"):
        RAVDESS.read(speech)


def test_every_fold_of_ravdess_has_as_many_women_as_men() -> None:
    assert Counter(ravdess.fold_of(f"{actor:02d}") for actor in range(1, 25, 2)) == Counter(
        ravdess.fold_of(f"{actor:02d}") for actor in range(2, 25, 2)
    )


def test_other_files_are_left_out(cremad: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(
        cremad, ["VideoFlash/._1001_DFA_ANG_XX.flv", "VideoFlash/1001_DFA_JOY_XX.flv", "AudioMP3/1001_DFA_ANG_XX.mp3"]
    )
    assert len(CREMAD.read(cremad).clips) == 60
    assert "1 videos below" in caplog.text
    assert "1001_DFA_JOY_XX.flv" in caplog.text


def test_two_videos_of_one_clip_are_refused(cremad: Path) -> None:
    write(cremad, ["VideoMP4/1001_IEO_ANG_HI.mp4"])
    with pytest.raises(CorpusError, match="are both clip 1001_IEO_ANG_HI of CREMA-D"):
        CREMAD.read(cremad)


def test_an_actor_in_anothers_folder_is_refused(speech: Path) -> None:
    write(speech, ["Video_Speech_Actor_01/Actor_01/01-01-03-02-01-01-02.mp4"])
    with pytest.raises(CorpusError, match="is of actor 02 by its name, but in the folder of another one"):
        RAVDESS.read(speech)


def test_pointers_of_git_lfs_are_no_videos(cremad: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 500000\n"
    (cremad / "VideoFlash" / "1001_IEO_ANG_HI.flv").write_bytes(pointer)
    with pytest.raises(CorpusError, match=r"1 files of CREMA-D .*only point at a video.*git lfs pull"):
        CREMAD.read(cremad)


def test_an_emotion_without_a_clip_is_told(cremad: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in (cremad / "VideoFlash").glob("10[01][27]_IEO_FEA_HI.flv"):
        path.unlink()
    CREMAD.read(cremad)
    assert "the test set of fold 2 has no clip of fear" in caplog.text


@pytest.mark.parametrize("corpus", [CREMAD, RAVDESS])
def test_wrong_folders_are_named(corpus: Corpus, cremad: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="does not exist; give the folder that holds"):
        corpus.read(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=f"no video of {corpus.title} below .*; found none at all"):
        corpus.read(tmp_path / "empty")
    write(tmp_path / "empty", ["cat.mp4"])
    with pytest.raises(CorpusError, match=r"found 1 others, e\.g\. cat\.mp4"):
        corpus.read(tmp_path / "empty")


def test_a_fold_without_people_is_refused(cremad: Path) -> None:
    for path in (cremad / "VideoFlash").glob("100[38]_*"):
        path.unlink()
    with pytest.raises(CorpusError, match=r"8 people .* fold 3 is left with nobody to test"):
        CREMAD.read(cremad)


def test_labels_alone_are_read_from_the_names(cremad: Path, speech: Path) -> None:
    (found,) = CREMAD.label_counts(cremad)
    assert (found.format, found.clips, found.splits["1"]["shared"]) == ("names", 60, 0)
    (found,) = RAVDESS.label_counts(speech)
    assert (found.clips, found.emotions["calm"]) == (96, 12)
    assert CREMAD.label_counts(speech) == RAVDESS.label_counts(cremad) == []
