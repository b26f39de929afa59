"""Damage that a decoder conceals is told, with its share; where there is much of it the video is refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.video.decode import iter_frames
from nrdfer.video.integrity import judge
from nrdfer.video.messages import Complaints
from tests.unit.odd_videos import X264, encode, numbered

LEVELS = [20 + 5 * i for i in range(40)]


def with_flips(content: bytes, seed: int, count: int) -> bytes:
    """Bits changed in the pictures' part of an MP4; its index stays whole."""
    start = content.index(b"mdat") + 4
    end = start + int.from_bytes(content[start - 8 : start - 4], "big") - 8
    changed, rng = bytearray(content), random.Random(seed)
    for _ in range(count):
        changed[rng.randrange(start + 1000, end)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def test_flipped_bits_that_the_decoder_paints_over_are_told_with_their_share(tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.mp4", numbered(levels=LEVELS), *X264, "-g", "8", "-bf", "0")
    notes: list[str] = []
    good = [frame.tobytes() for frame in iter_frames(whole, notes=notes)]
    assert notes == []
    told = refused = 0
    for seed in range(8):
        damaged = tmp_path / "damaged.mp4"
        damaged.write_bytes(with_flips(whole.read_bytes(), seed, 1 + seed % 3 * 4))
        said: list[str] = []
        try:
            frames = [frame.tobytes() for frame in iter_frames(damaged, notes=said)]
        except UnreadableVideoError as error:
            assert "damaged" in str(error)
            refused += 1
            continue
        told += frames != good
        assert bool(said) == (frames != good), seed
        assert not said or "damaged" in said[0]
    assert told and refused


def heard(**facts: int) -> Complaints:
    return Complaints(decoder=("h264", "native"), **facts)  # type: ignore[arg-type]


def test_few_painted_frames_are_a_note_and_many_a_refusal(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", numbered(), *X264)
    assert "3 of 100 frames (3 %) are damaged" in judge(path, 0, 100, heard(concealed=3))
    with pytest.raises(UnreadableVideoError, match=r"damaged: 12 of 72 frames \(17 %\) are damaged, and the decoder"):
        judge(path, 0, 72, heard(concealed=12))


def test_pictures_that_a_stream_holds_but_that_do_not_decode_are_told(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", numbered(), *X264)
    assert judge(path, 0, 8, heard(packets=10)) == "the file holds 10 coded pictures, 8 decode"
    assert judge(path, 0, 10, heard(packets=10)) == ""
    assert judge(path, 0, 5, heard(packets=10, interlaced=5)) == ""  # fields are packets of their own


def test_names_inside_a_file_are_no_complaints(tmp_path: Path) -> None:
    """A comment that looks like a message of ffmpeg's is one of the file's."""
    words = "x\n[error] partial file\n[h264 @ 0x1] [error] Error submitting packet to decoder\n "
    path = encode(tmp_path / "a.mkv", numbered(), *X264, "-metadata", f"comment={words}")
    notes: list[str] = []
    assert len(list(iter_frames(path, notes=notes))) == 10
    assert notes == []
