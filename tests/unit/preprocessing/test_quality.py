"""The quality page: its numbers by hand, every word escaped, nothing invented, the same bytes again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord, FrameRecord
from nrdfer.preprocessing.clip_files import SHEETS
from nrdfer.preprocessing.quality import (
    NUMBERS,
    PAGE,
    PICTURE,
    ClipQuality,
    clip_quality,
    clips_per_class,
    summarise,
    write_quality,
)

CLIPS = [
    ClipQuality("a", "fear", "train", 10, 10, 0, 0.9, luma_before=50.0, luma_after=90.0),
    ClipQuality("b", "fear", "val", 20, 5, 8, 0.5, luma_before=100.0, luma_after=110.0),
    ClipQuality("c", "happiness", "train", 30, 30, 0, 0.8, luma_before=60.0, luma_after=100.0),
]
ASIDE = [("d", 'unreadable: /films/<b>&"Film".avi: no\nvideo'), ("e", "no_face: none in 12 frames")]
# as DFEW is: nothing was detected in it
PICTURES = [ClipQuality("1", "sadness", "fd1", 16, luma=80.0), ClipQuality("2", None, "fd2", 4, luma=120.5)]


def tree_of(folder: Path) -> ElementTree.Element:
    """The page, read by a parser that refuses what is not well-formed."""
    return ElementTree.fromstring((folder / PAGE).read_text(encoding="utf-8"))  # noqa: S314  our own page


def cells(element: ElementTree.Element) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row] for row in element.iter("tr")]


def tables(folder: Path) -> dict[str, list[list[str]]]:
    """The page's tables by the heading before them."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    body = tree_of(folder).find("body")
    assert body is not None
    for element in body:
        if element.tag in ("h1", "h2"):
            heading = (element.text or "").split(" (")[0]
        if element.tag == "table":
            found[heading] = cells(element)
    return found


def test_a_row_from_a_record() -> None:
    told = (True, False, False, True, True)
    frames = tuple(FrameRecord(i, has_face=face, score=0.1 * (i + 1)) for i, face in enumerate(told))
    row = clip_quality(ClipRecord("afew", "a", "fear", "val", 5, "0" * 64, frames=frames), 12.345, 50.0)
    assert row == ClipQuality("a", "fear", "val", 5, 3, 2, 0.4, luma_before=12.35, luma_after=50.0)


def test_summary_by_hand() -> None:
    assert summarise(CLIPS, ASIDE) == {
        "clips": 3,
        "set_aside": 2,
        "frames": 60,
        "shortest_clip": 10,
        "median_clip": 20.0,
        "longest_clip": 30,
        "share_of_frames_with_face": 0.75,
        "clips_with_face_in_less_than_half": 1,
        "median_score": 0.8,
        "luma_before": 70.0,
        "luma_after": 100.0,
    }


def test_what_was_not_measured_is_left_out(tmp_path: Path) -> None:
    summary = write_quality("DFEW", EMOTIONS, PICTURES, [], tmp_path)
    assert summary == {
        "clips": 2, "set_aside": 0, "frames": 20, "shortest_clip": 4, "median_clip": 10.0, "longest_clip": 16,
        "luma": 100.25,
    }  # fmt: skip
    numbers = json.loads((tmp_path / NUMBERS).read_text())
    assert numbers["clips"][0] == {"clip_id": "1", "emotion": "sadness", "split": "fd1", "frames": 16, "luma": 80.0}
    words = "".join(tree_of(tmp_path).itertext())
    assert not [word for word in ("face", "score", "gap", "before", "after") if word in words]
    assert tables(tmp_path)["Clips"] == [
        ["clip id", "emotion", "split", "frames", "luma"],
        ["2", "", "fd2", "4", "120.5"],  # the shortest first
        ["1", "sadness", "fd1", "16", "80.0"],
    ]


def test_classes_that_are_missing_show_as_none() -> None:
    counts = clips_per_class(CLIPS, EMOTIONS)
    assert list(counts) == ["train", "val"]
    assert counts["train"] == {emotion: int(emotion in ("fear", "happiness")) for emotion in EMOTIONS}
    assert counts["val"] == {emotion: int(emotion == "fear") for emotion in EMOTIONS}
    unlabelled = clips_per_class(PICTURES, EMOTIONS)
    assert (unlabelled["fd2"]["unlabelled"], sum(unlabelled["fd2"].values())) == (1, 1)


def test_the_page_has_every_clip_and_every_reason(tmp_path: Path) -> None:
    write_quality('AFEW <1> & "2"', EMOTIONS, CLIPS, ASIDE, tmp_path)
    found = tables(tmp_path)
    assert tree_of(tmp_path).findtext("head/title") == 'AFEW <1> & "2"'
    assert [row[0] for row in found["Clips"][1:]] == ["b", "a", "c"]  # fewest frames with the target first
    assert found["Excluded"] == [["clip", "reason"], *map(list, ASIDE)]  # escaped: markup stays words
    facts: Mapping[str, str] = dict(found['AFEW <1> & "2"'])
    assert (facts["clips"], facts["share of frames with face"]) == ("3", "0.75")
    assert found["Clips of each class"][0] == ["split", *EMOTIONS]
    numbers = json.loads((tmp_path / NUMBERS).read_text())
    assert numbers["set_aside"] == dict(ASIDE)
    assert [clip["clip_id"] for clip in numbers["clips"]] == ["a", "b", "c"]


def test_only_sheets_that_exist_are_linked(tmp_path: Path) -> None:
    (tmp_path / SHEETS).mkdir()
    for name in ("b", "d"):
        (tmp_path / SHEETS / f"{name}.jpg").touch()
    write_quality("AFEW", EMOTIONS, CLIPS, ASIDE, tmp_path)
    links = {link.text: link.get("href") for link in tree_of(tmp_path).iter("a")}
    assert links == {"b": "sheets/b.jpg", "d": "sheets/d.jpg"}
    (image,) = tree_of(tmp_path).iter("img")
    assert (tmp_path / str(image.get("src"))).is_file()


@pytest.mark.parametrize("clips", [CLIPS, PICTURES, CLIPS[:1], []])
def test_the_picture_is_a_png_with_something_on_it(clips: list[ClipQuality], tmp_path: Path) -> None:
    write_quality("a corpus", EMOTIONS, clips, ASIDE, tmp_path)
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    picture = cv2.imread(str(tmp_path / PICTURE))
    assert picture is not None
    assert picture.shape[0] == 300
    coloured = (np.ptp(picture.astype(int), axis=2) > 30).mean()
    assert (coloured > 0.005) == bool(clips)


def test_no_clips_at_all(tmp_path: Path) -> None:
    assert write_quality("AFEW", EMOTIONS, [], ASIDE, tmp_path) == {"clips": 0, "set_aside": 2, "frames": 0}
    found = tables(tmp_path)
    assert found["Clips"] == []
    assert len(found["Excluded"]) == 3


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_quality("AFEW", EMOTIONS, CLIPS, ASIDE, tmp_path / name)
        made.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert made[0] == made[1]
    assert set(made[0]) == {PAGE, PICTURE, NUMBERS}
