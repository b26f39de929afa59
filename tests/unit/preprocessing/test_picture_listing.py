"""DFEW's listing: content and not place decides its digest, groups are found again, a restart hashes only the rest."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from nrdfer.core.errors import CorpusError
from nrdfer.corpora.dfew import read_dfew
from nrdfer.corpora.synthetic.render import CorpusSettings, render_corpus
from nrdfer.preprocessing import corpus_listing, picture_listing
from nrdfer.preprocessing.picture_listing import PictureListing, list_pictures
from nrdfer.store import digest_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_corpus(tmp_path_factory.mktemp("rendered") / "corpus", CorpusSettings.tiny(), workers=1) / "DFEW"


@pytest.fixture
def dfew(rendered: Path, tmp_path: Path) -> Path:
    return shutil.copytree(rendered, tmp_path / "DFEW")


def folders(root: Path, name: str) -> tuple[Path, Path]:
    work, out = root / f"{name}-work", root / name
    work.mkdir()
    out.mkdir()
    return work, out


def test_a_listing_names_every_picture(dfew: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_listing, "_PART", 10)
    corpus = read_dfew(dfew)
    work, out = folders(tmp_path, "out")
    seen: list[tuple[int, int]] = []
    counts = list_pictures(corpus, work, out, workers=2, progress=lambda *done: seen.append(done))
    listed = PictureListing(out)
    clips = list(listed.clips())
    frames = sum(clip.n_frames for clip in corpus.clips)
    assert (counts["clips"], counts["frames"], counts["folds"]) == (35, frames, 5)
    assert (len(seen), seen[0], seen[-1]) == (5, (0, frames), (frames, frames))
    assert [(c.clip_id, c.emotion, c.folder) for c in clips] == [
        (c.clip_id, c.emotion, str(c.folder)) for c in corpus.clips
    ]
    for clip, there in zip(clips, corpus.clips, strict=True):
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in there.frames]
        assert clip.frames == tuple(zip(there.names, digests, strict=True))
        assert clip.sha256 == digest_of(digests)
    assert {k: tuple(fold["test"]) for k, fold in listed.folds.items()} == {
        str(k): fold.test for k, fold in corpus.folds.items()
    }


def test_groups_are_found_again_by_their_place(dfew: Path, tmp_path: Path) -> None:
    work, out = folders(tmp_path, "out")
    list_pictures(read_dfew(dfew), work, out, workers=1)
    listed = PictureListing(out)
    groups = listed.groups(8)
    assert [count for _, count in groups] == [8, 8, 8, 8, 3]
    assert [clip for group in groups for clip in picture_listing.read_group(out, *group)] == list(listed.clips())


def test_the_digest_is_of_content_not_of_place_or_time(dfew: Path, rendered: Path, tmp_path: Path) -> None:
    first = list_pictures(read_dfew(rendered), *folders(tmp_path, "one"), workers=1)
    assert (
        list_pictures(read_dfew(dfew), *folders(tmp_path, "two"), workers=1)["content_digest"]
        == first["content_digest"]
    )
    picture = read_dfew(dfew).clips[3].frames[2]
    picture.write_bytes(picture.read_bytes() + b"x")
    changed = list_pictures(read_dfew(dfew), *folders(tmp_path, "three"), workers=1)
    assert changed["content_digest"] != first["content_digest"]


def test_a_restart_hashes_only_what_is_left(dfew: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_listing, "_PART", 10)
    corpus = read_dfew(dfew)
    work, out = folders(tmp_path, "whole")
    list_pictures(corpus, work, out, workers=1)
    parts = sorted(work.glob("*.jsonl"))
    assert len(parts) == 4
    for path in parts[1:]:
        path.unlink()
    shutil.rmtree(corpus.clips[0].folder)  # of the part that is there
    again = tmp_path / "again"
    again.mkdir()
    list_pictures(corpus, work, again, workers=1)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in out.iterdir()
    }
    for damage in (b"", parts[0].read_bytes()[:500], bytes(parts[0].stat().st_size)):  # as power cuts leave files
        parts[0].write_bytes(damage)
        with pytest.raises(CorpusError, match=r"cannot be read"):  # hashed again, of a folder that is gone
            list_pictures(corpus, work, again, workers=1)
    parts[0].unlink()
    with pytest.raises(CorpusError, match=rf"{corpus.clips[0].names[0]} cannot be read.*copy or unpack"):
        list_pictures(corpus, work, again, workers=1)


def test_the_fingerprint_sees_a_touched_and_a_missing_picture(dfew: Path) -> None:
    before = corpus_listing.fingerprint_pictures(dfew, read_dfew(dfew))
    assert corpus_listing.fingerprint_pictures(dfew, read_dfew(dfew)) == before
    picture = read_dfew(dfew).clips[3].frames[2]
    os.utime(picture, ns=(1, 1))
    touched = corpus_listing.fingerprint_pictures(dfew, read_dfew(dfew))
    picture.unlink()
    assert len({before, touched, corpus_listing.fingerprint_pictures(dfew, read_dfew(dfew))}) == 3
