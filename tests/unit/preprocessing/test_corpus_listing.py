from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from nrdfer.config.profile import Profile
from nrdfer.core.errors import CorpusError, ProfileError
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.registry import find_corpus
from nrdfer.corpora.synthetic import render
from nrdfer.preprocessing import corpus_listing


def profile(**corpora: object) -> Profile:
    return Profile.read({"name": "p", "description": "", "corpora": corpora}, "profile p")


def listed(root: Path, out: Path) -> dict[str, Any]:
    return corpus_listing.list_videos(AFEW, AFEW.read(root), out)


def make_afew(root: Path) -> Path:
    for split in ("Train_AFEW", "Val_AFEW"):
        for emotion in ("Happy", "Fear"):
            folder = root / split / emotion
            folder.mkdir(parents=True)
            (folder / "000102040.avi").write_bytes(f"{split} {emotion}".encode())
    return root


def test_a_given_folder_is_used_even_if_the_profile_renders(tmp_path: Path) -> None:
    assert corpus_listing.corpus_root(profile(rendered=True, afew_root=str(tmp_path)), AFEW) == tmp_path


@pytest.mark.parametrize("corpus", ["AFEW", "DFEW"])
def test_without_a_folder_the_message_says_what_to_set(corpus: str) -> None:
    with pytest.raises(CorpusError, match=f"NRDFER_{corpus}_ROOT=/path/to/{corpus}"):
        corpus_listing.corpus_root(profile(), find_corpus(corpus.lower()))


def test_a_rendered_corpus_is_named_by_all_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    monkeypatch.setattr(render, "render_corpus", lambda out, *_, **__: out)
    plain = corpus_listing.render_sample(profile(rendered=True))
    assert plain == corpus_listing.render_sample(profile(rendered=True, render={"seed": 0}))  # the default, said aloud
    assert plain != corpus_listing.render_sample(profile(rendered=True, render={"seed": 1}))
    with pytest.raises(ProfileError, match="unknown setting sede"):
        corpus_listing.render_sample(profile(rendered=True, render={"sede": 1}))


def test_listing_depends_on_content_not_on_place_or_time(tmp_path: Path) -> None:
    here, there = make_afew(tmp_path / "a"), make_afew(tmp_path / "b")
    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
    first = listed(here, tmp_path / "one")
    assert (first["clips"], first["train"], first["val"]) == (4, 2, 2)
    assert listed(there, tmp_path / "two")["content_digest"] == first["content_digest"]
    video = there / "Val_AFEW" / "Fear" / "000102040.avi"
    video.write_bytes(b"another film")
    assert listed(there, tmp_path / "three")["content_digest"] != first["content_digest"]
    rows = corpus_listing.VideoListing(AFEW, tmp_path / "one").rows
    assert {row["clip_id"] for row in rows} == {
        f"{split}_{emotion}_000102040" for split in ("train", "val") for emotion in ("Happy", "Fear")
    }


def test_a_listing_tells_why_a_clip_bears_another_name(tmp_path: Path) -> None:
    folder = make_afew(tmp_path / "a") / "Val_AFEW" / "Fear"
    (folder / f"{'L' * 121}.avi").write_bytes(b"long")
    (folder / "Stra\udcdfe.avi").write_bytes(b"bytes that are no UTF-8")
    listed(tmp_path / "a", tmp_path)
    rows = corpus_listing.VideoListing(AFEW, tmp_path).rows
    noted = [row for row in rows if "note" in row]
    assert [(len(row["clip_id"]), "too long for a shard" in row["note"]) for row in noted] == [(88, True)]
    assert {Path(row["path"]) for row in rows} >= set(folder.iterdir())


def test_fingerprint_sees_a_touched_file(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x")
    before = corpus_listing.fingerprint(tmp_path, [file])
    assert corpus_listing.fingerprint(tmp_path, [file]) == before
    os.utime(file, ns=(1, 1))
    assert corpus_listing.fingerprint(tmp_path, [file]) != before


@pytest.mark.parametrize("change", [{"emotion": "Sad"}, {"split": "val"}])
def test_corrected_labels_of_videos_make_another_listing(tmp_path: Path, change: dict[str, str]) -> None:
    root = make_afew(tmp_path)
    contents = AFEW.read(root)
    before = corpus_listing.listing_inputs(root, contents)
    first = dataclasses.replace(contents.clips[0], **change)
    after = corpus_listing.listing_inputs(root, dataclasses.replace(contents, clips=[first, *contents.clips[1:]]))
    assert (before["files"] == after["files"], before["labels"] == after["labels"]) == (True, False)
