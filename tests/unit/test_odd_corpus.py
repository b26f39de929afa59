"""A corpus of odd files: none stops it, each has its row in the table, and memory stays bounded."""

from __future__ import annotations

import csv
import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import psutil
import pytest
import torch

from nrdfer.core.emotions import AFEW_FOLDERS
from nrdfer.core.own_files import NOTES
from nrdfer.corpora.afew import AFEW, VIDEO_SUFFIXES
from nrdfer.faces.detector import Face, FaceDetector
from nrdfer.faces.load_detector import load_detector
from nrdfer.preprocessing.align import align_corpus
from nrdfer.preprocessing.clip_files import EXCLUDED_CSV, read_clips
from nrdfer.preprocessing.corpus_listing import VideoListing, list_videos
from nrdfer.preprocessing.videos import AlignSettings, ClipSummary, CropOptions, preprocess_videos
from nrdfer.weights.catalogue import sample_weights
from tests.unit.odd_videos import Odd

pytestmark = pytest.mark.slow

Corpus = tuple[Path, list[Odd]]
SETTINGS = AlignSettings(max_side=128)


class Blind(FaceDetector):
    """Finds nothing, at once."""

    def detect_batch(self, pictures: Sequence[np.ndarray]) -> list[list[Face]]:
        return [[] for _ in pictures]


class PeakMemory:
    """How far this process's memory grows within a block, looked at fifty times a second."""

    def __enter__(self) -> Self:
        self._process = psutil.Process()
        self._start = self._process.memory_info().rss
        self.growth = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.growth = max(self.growth, self._process.memory_info().rss - self._start)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


@pytest.fixture(scope="module")
def detector() -> Iterator[FaceDetector]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # pictures this small gain nothing from more
    yield load_detector(sample_weights("retinaface"), max_side=SETTINGS.max_side)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def table(
    odd_videos: Corpus, detector: FaceDetector, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[ClipSummary]]:
    out = tmp_path_factory.mktemp("out")
    summaries = preprocess_videos([odd_videos[0]], CropOptions(detector, SETTINGS), out / "clips", out / "table.json")
    return out, summaries


def test_every_file_has_one_row_with_its_outcome(odd_videos: Corpus, table: tuple[Path, list[ClipSummary]]) -> None:
    folder, odds = odd_videos
    out, summaries = table
    rows = {str(Path(summary.source).relative_to(folder)): summary for summary in summaries}
    assert len(rows) == len(summaries)
    assert {name: row.status for name, row in rows.items()} == {odd.name: odd.status for odd in odds}
    assert {name: row.frames for name, row in rows.items()} == {odd.name: odd.frames for odd in odds}
    for odd in odds:
        reason = rows[odd.name].reason
        assert bool(reason) == (odd.status != "ok")
        assert all(word in reason for word in odd.words), (odd.name, reason)
    written = json.loads((out / "table.json").read_text(encoding="utf-8"))
    assert [row["source"] for row in written] == [summary.source for summary in summaries]
    assert [row["reason"] for row in written] == [summary.reason for summary in summaries]


def test_a_face_is_found_in_every_frame_of_every_whole_video(
    odd_videos: Corpus, table: tuple[Path, list[ClipSummary]]
) -> None:
    found = {Path(row.source): row.frames_with_face for row in table[1] if row.status == "ok"}
    assert found == {odd_videos[0] / odd.name: odd.frames for odd in odd_videos[1] if odd.status == "ok"}


def test_crops_are_complete_and_clips_do_not_overwrite_each_other(table: tuple[Path, list[ClipSummary]]) -> None:
    out, summaries = table
    assert len({row.clip_id.casefold() for row in summaries}) == len(summaries)
    for row in summaries:
        crops = sorted(path.name for path in (out / "clips" / row.clip_id).glob("*.jpg"))
        assert crops == [f"{i:04d}.jpg" for i in range(row.frames)] * (row.status == "ok"), row.source
        if row.status == "ok":
            records = json.loads((out / "clips" / row.clip_id / "records.json").read_text())
            assert [record["index"] for record in records] == list(range(row.frames))
    named = {path.name for path in (out / "clips").iterdir()} - {NOTES}
    assert named == {row.clip_id for row in summaries if row.status == "ok"} | {
        f"{row.clip_id}.png" for row in summaries if row.status != "unreadable"
    }


def test_losses_and_names_are_told_in_notes(odd_videos: Corpus, table: tuple[Path, list[ClipSummary]]) -> None:
    rows = {str(Path(row.source).relative_to(odd_videos[0])): row for row in table[1]}
    for odd in odd_videos[1]:
        assert odd.note in rows[odd.name].note
    namesakes = [rows[name] for name in ("named/Clip.mp4", "named/clip.MOV", "named/clip.mp4")]
    namesakes += [rows[name] for name in ("named/one/clip.mp4", "named/two/clip.mp4")]
    assert [row.clip_id for row in namesakes] == ["Clip", "clip-2", "clip-3", "clip-4", "clip-5"]
    assert [f"called {row.clip_id}, because" in row.note for row in namesakes] == [False, True, True, True, True]


def test_several_processes_fill_the_same_table(
    odd_videos: Corpus, detector: FaceDetector, table: tuple[Path, list[ClipSummary]], tmp_path: Path
) -> None:
    parts = [odd_videos[0] / "broken", odd_videos[0] / "unusual" / "plain.mp4"]
    alone = {row.source: row for row in table[1]}
    rows = preprocess_videos(parts, CropOptions(detector, SETTINGS, workers=2), tmp_path)
    assert len(rows) == len(list(parts[0].iterdir())) + 1
    assert [(row.status, row.reason) for row in rows] == [
        (alone[row.source].status, alone[row.source].reason) for row in rows
    ]


def test_ten_thousand_frames_fill_a_row_not_the_memory(long_clip: Path, detector: FaceDetector, tmp_path: Path) -> None:
    """No face is found in them, because ten thousand crops take long to delete again."""
    every_crop = 10_000 * SETTINGS.size**2 * 3
    options = CropOptions(Blind(detector.net, detector.convention), SETTINGS)
    with PeakMemory() as memory:
        (row,) = preprocess_videos([long_clip], options, tmp_path)
    assert (row.status, row.frames, row.frames_with_face) == ("no_face", 10_000, 0)
    assert "10000 frames" in row.reason
    assert memory.growth < every_crop / 3


@pytest.fixture(scope="module")
def afew(odd_videos: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Odd]]:
    """The odd files in AFEW's folders, those of one stem in one class; and which clip id each should bear."""
    root = tmp_path_factory.mktemp("afew")
    expected: dict[str, Odd] = {}
    for number, odd in enumerate(odd_videos[1]):
        path = odd_videos[0] / odd.name
        if path.suffix.lower() not in VIDEO_SUFFIXES or not path.is_file():
            continue  # no file of AFEW
        emotion = list(AFEW_FOLDERS)[number % 7] if path.stem.lower() != "clip" else "Happy"
        split = ("Train_AFEW", "Val_AFEW")[number % 2]
        if path.stem.lower() == "clip":
            split = "Val_AFEW" if "one/" in odd.name else "Train_AFEW"
        target = root / split / emotion / path.name
        if target.exists():  # two/clip.mp4: the same name and class again
            target = root / split / "Sad" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        expected[str(target.relative_to(root))] = odd
    return root, expected


def test_afew_keeps_every_odd_clip_or_sets_it_aside(
    afew: tuple[Path, dict[str, Odd]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root, expected = afew
    for name in ("listing", "out"):
        (tmp_path / name).mkdir()
    counts = list_videos(AFEW, AFEW.read(root), tmp_path / "listing")
    rows = VideoListing(AFEW, tmp_path / "listing").rows
    assert {str(Path(row["path"]).relative_to(root)) for row in rows} == set(expected)
    assert counts["clips"] == len(rows) == len({row["clip_id"].casefold() for row in rows})
    assert {row["clip_id"] for row in rows} >= {"train_Happy_Clip", "train_Happy_clip-2", "train_Happy_clip-3"}
    assert caplog.text.count("if it is a copy, remove it") == 2

    weights = sample_weights("retinaface")
    counts = align_corpus(rows, CropOptions(weights, SETTINGS, workers=2), tmp_path / "work", tmp_path / "out")
    odds = {row["clip_id"]: expected[str(Path(row["path"]).relative_to(root))] for row in rows}
    with (tmp_path / "out" / EXCLUDED_CSV).open(newline="") as handle:
        aside = {row["clip_id"]: row["reason"] for row in csv.DictReader(handle)}
    assert set(aside) == {clip_id for clip_id, odd in odds.items() if odd.status != "ok"}
    for clip_id, reason in aside.items():
        assert all(word in reason for word in odds[clip_id].words), (clip_id, reason)
    aligned = {record.clip_id: (record, len(frames)) for record, frames in read_clips(tmp_path / "out")}
    assert set(aligned) == set(odds) - set(aside)
    for clip_id, (record, frames) in aligned.items():
        assert record.n_frames == frames == odds[clip_id].frames
        assert [frame.index for frame in record.frames] == list(range(frames))
    assert (counts["clips"], counts["set_aside"]) == (len(aligned), len(aside))
