"""A corpus of videos with numbered folds, from its folder to shards and folds; and persons and scenes in records."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from nrdfer.config.profile import ShardsConfig
from nrdfer.config.rendering import CorpusSettings
from nrdfer.core.records import ClipRecord
from nrdfer.corpora.cremad import CREMAD
from nrdfer.corpora.synthetic.further import plan_copy
from nrdfer.corpora.synthetic.jobs import render_clip
from nrdfer.preprocessing.align import align_corpus
from nrdfer.preprocessing.clip_files import EXCLUDED_CSV, read_reasons
from nrdfer.preprocessing.corpus_listing import VideoListing, list_videos, listing_inputs
from nrdfer.preprocessing.enhance import EnhanceOptions, enhance_corpus
from nrdfer.preprocessing.folds import read_folds, read_split, write_folds
from nrdfer.preprocessing.shards import shard_aligned
from nrdfer.preprocessing.validation import judge_faces, judge_folds, judge_listed_clips
from nrdfer.preprocessing.videos import AlignSettings, CropOptions
from nrdfer.shards.reader import ShardReader
from nrdfer.weights.catalogue import sample_weights

MISSING = ("1006_IEO_HAP_HI", "labelled, but there is no video")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Listing, faces, shards and folds of five people with two emotions each, one video of which is damaged."""
    root = tmp_path_factory.mktemp("cremad")
    settings = dataclasses.replace(CorpusSettings.tiny(), afew_frames=(2, 2), n1_clips=0.0)
    jobs = [job for job in plan_copy("cremad", settings) if job.emotion in ("happiness", "anger")]
    first = root / "CREMA-D" / render_clip(jobs[0], settings, root / "CREMA-D")["path"]
    for job in jobs[1:]:  # one rendered video serves for all: what is tested is not in the pictures
        shutil.copyfile(first, root / "CREMA-D" / job.path)
    (root / "CREMA-D" / jobs[-1].path).write_bytes(b"damaged")
    for name in ("listing", "aligned", "enhanced", "work3", "shards", "folds"):
        (root / name).mkdir()
    contents = CREMAD.read(root / "CREMA-D")
    contents.excluded.append(MISSING)
    list_videos(CREMAD, contents, root / "listing")
    listing = VideoListing(CREMAD, root / "listing")
    options = CropOptions(sample_weights("retinaface"), AlignSettings(max_side=360), workers=1)
    align_corpus(listing.rows, options, root / "work", root / "aligned", missing=listing.excluded)
    enhance_corpus(root / "aligned", EnhanceOptions("none"), root / "work2", root / "enhanced")
    shard_aligned(CREMAD, root / "enhanced", root / "work3", root / "shards", ShardsConfig(clips_per_shard=4))
    write_folds(CREMAD, listing.folds, root / "shards", root / "folds")
    return root


def test_every_fold_tests_its_own_people(made: Path) -> None:
    folds = read_folds(made / "folds")
    assert {k: [clip[:4] for clip in fold["test"]] for k, fold in folds.items()} == {
        "1": ["1001", "1001"],
        "2": ["1002", "1002"],
        "3": ["1003", "1003"],
        "4": ["1004", "1004"],
        "5": ["1005"],
    }
    split = read_split(CREMAD, "cremad5", made / "shards", made / "folds")
    assert (len(split.train_ids), len(split.test_ids)) == (8, 1)


def test_missing_and_damaged_videos_are_excluded_with_reasons(made: Path) -> None:
    reasons = dict(read_reasons(made / "shards" / EXCLUDED_CSV))
    assert reasons[MISSING[0]] == MISSING[1]
    assert len(reasons) == 2
    listing = VideoListing(CREMAD, made / "listing")
    assert listing.excluded == [MISSING]
    assert judge_faces(listing.rows, made / "aligned", listing.excluded).problems == ()
    assert judge_listed_clips(listing, made / "shards", read_folds(made / "folds"), CREMAD.emotions).problems == (
        f"fold 5: no test clip of anger is left, though it is labelled with some; see {made / 'shards' / EXCLUDED_CSV}",
    )
    assert judge_folds(made / "shards", read_folds(made / "folds")).problems == ()
    assert judge_faces(listing.rows, made / "aligned").problems[0].startswith("1 clip is excluded and not listed")


def test_records_say_who_is_filmed(made: Path) -> None:
    with ShardReader(made / "shards") as reader:
        record = reader.record("1003_IEO_ANG_HI")
    assert (record.person, record.scene, record.split) == ("1003", "", "fold")
    assert record.to_dict()["person"] == "1003"
    assert ClipRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record


def test_records_of_other_corpora_keep_their_bytes() -> None:
    record = ClipRecord("dfew", "00001", "fear", "fold", 0, "0" * 64)
    assert list(record.to_dict()) == [
        "corpus",
        "clip_id",
        "emotion",
        "split",
        "n_frames",
        "source_sha256",
        "enhanced",
        "frames",
    ]


def test_a_listing_follows_the_folds_and_emotions(made: Path) -> None:
    contents = CREMAD.read(made / "CREMA-D")
    before = listing_inputs(made / "CREMA-D", contents)
    contents.clips[0] = dataclasses.replace(contents.clips[0], emotion="fear")
    assert listing_inputs(made / "CREMA-D", contents)["labels"] != before["labels"]
