"""Damaged videos of ten containers: decoded, or refused in words; bounded in time and memory, ffmpeg's too."""

from __future__ import annotations

import random
import resource
from pathlib import Path

import numpy as np
import pytest

from nrdfer.video.container_headers import stated_bytes, stated_frames
from nrdfer.video.decode import iter_frames
from nrdfer.video.formats import format_of, video_format
from nrdfer.video.probe import probe
from nrdfer.video.timestamps import frame_times
from tests.fuzz.harness import MEMORY, fuzz
from tests.fuzz.mutate import damaged_bytes
from tests.unit.odd_videos import MPEG4, X264, encode, numbered

SIDE, FRAMES = 64, 6
KINDS = {
    "mp4": X264,
    "mov": (*MPEG4, "-movflags", "+faststart"),
    "avi": MPEG4,
    "mkv": X264,
    "webm": ("-c:v", "libvpx", "-deadline", "realtime"),
    "mpg": ("-c:v", "mpeg2video", "-q:v", "2"),
    "ts": X264,
    "wmv": ("-c:v", "wmv2", "-q:v", "2"),
    "flv": ("-c:v", "flv", "-q:v", "2"),
    "gif": (),
}
Video = tuple[str, bytes]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    levels = [30 + 30 * i for i in range(FRAMES)]
    return {
        kind: encode(folder / f"a.{kind}", numbered(SIDE, SIDE, levels), *options, size=(SIDE, SIDE)).read_bytes()
        for kind, options in KINDS.items()
    }


def damaged(whole: dict[str, bytes], rng: random.Random) -> Video:
    kind = rng.choice(sorted(whole))
    return kind, damaged_bytes(whole[kind], rng)


def test_containers(whole: dict[str, bytes], tmp_path: Path) -> None:
    def run(video: Video) -> None:
        path = tmp_path / f"video.{video[0]}"
        path.write_bytes(video[1])
        for stated in (stated_bytes(path), stated_frames(path)):
            assert stated is None or stated >= 0
        assert video_format(path) == format_of(video[1])

    tally = fuzz("containers", lambda rng: damaged(whole, rng), run)
    assert tally.results and tally.words


def test_frames(whole: dict[str, bytes], tmp_path: Path) -> None:
    """What decodes has pictures of one size, as many as it has times, and the probe tells their size."""

    def run(video: Video) -> None:
        path = tmp_path / f"video.{video[0]}"
        path.write_bytes(video[1])
        notes: list[str] = []
        shapes = [frame.shape for frame in iter_frames(path, notes=notes)]
        assert shapes and len(set(shapes)) == 1
        assert all(note.strip() for note in notes)
        info = probe(path)
        assert (info.height, info.width, 3) == shapes[0]
        times = frame_times(path, len(shapes))
        assert (np.diff([*times.starts, times.end]) > 0).all()

    tally = fuzz("frames", lambda rng: damaged(whole, rng), run, slower=4)
    assert tally.results and tally.words
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < MEMORY  # ffmpeg's
