"""Each use takes an ffmpeg that has what it needs; what is decoration never costs the video."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nrdfer.core.errors import EncodingError, UnreadableVideoError
from nrdfer.video import ffmpeg as choice
from nrdfer.video.constant_rate_writer import VideoWriter
from nrdfer.video.decode import iter_frames
from nrdfer.video.ffmpeg import candidates, ffmpeg_executable, ffmpeg_for, offers
from nrdfer.video.probe import probe
from nrdfer.video.timed_writer import TimedWriter
from nrdfer.video.timestamps import FrameTimes
from tests.unit.odd_videos import FRAMES, HEIGHT, WIDTH, X264, encode, ffmpeg, numbered

TIMES = FrameTimes((0.0, 0.04), 0.08, 25, even=True)


@pytest.fixture(params=["grep -v 264", "cat"])  # it lists what it lacks, as builds do that miss a library
def poor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    """An ffmpeg that is first on PATH, as conda's: without libx264, zscale, and a decoder for HEVC."""
    real, listed = ffmpeg_executable(), request.param
    script = tmp_path / "bin" / "ffmpeg"
    script.parent.mkdir()
    script.write_text(
        f"""#!/bin/sh
case "$*" in
  *-encoders*) {real} "$@" | {listed}; exit;;
  *-filters*) {real} "$@" | grep -v zscale; exit;;
  *"-c:v libopenh264"*) exit 1;;
  *-codecs*) {real} "$@" | sed 's/DEV.LS hevc/.EV.LS hevc/'; exit;;
  *"-c:v libx264"*|*zscale=*) echo "Unknown encoder 'libx264'" >&2; exit 1;;
esac
exec {real} "$@"
"""
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")
    for function in (choice.offers, choice._encodes, choice._why_it_does_not_run, choice._tell_once):
        function.cache_clear()
    yield script
    choice.offers.cache_clear()


def write(path: Path, sound: Path | None = None) -> TimedWriter:
    with TimedWriter(path, WIDTH, HEIGHT, TIMES, sound=sound) as writer:
        for picture in list(numbered())[:2]:
            writer.write(picture)
    return writer


def test_an_ffmpeg_without_libx264_gives_way_to_one_that_has_it(
    poor: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert candidates()[0] == str(poor) and len(candidates()) == 2
    with caplog.at_level(logging.WARNING):
        assert write(tmp_path / "a.mp4").notes == []
        write(tmp_path / "b.mp4")
        with VideoWriter(tmp_path / "c.mp4", WIDTH, HEIGHT, 25, "libx264") as writer:
            writer.write(next(numbered()))
    assert probe(tmp_path / "a.mp4").codec == probe(tmp_path / "c.mp4").codec == "h264"
    said = [record.message for record in caplog.records if "libx264" in record.message]
    assert len(said) == 1 and f"ffmpeg at {poor} cannot encode with libx264" in said[0]  # once


def test_where_no_ffmpeg_has_libx264_another_codec_is_taken(
    poor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_brought", lambda: "")
    assert candidates() == (str(poor),)
    (note,) = write(tmp_path / "a.mp4").notes
    assert "no ffmpeg here has libx264" in note
    assert len(list(iter_frames(tmp_path / "a.mp4"))) == 2
    with (
        pytest.raises(EncodingError, match=r"no ffmpeg on this machine encodes with libx264"),
        VideoWriter(tmp_path / "b.mp4", WIDTH, HEIGHT, 25, "libx264"),
    ):
        pass
    with pytest.raises(UnreadableVideoError, match="decodes hevc"):
        ffmpeg_hevc = encode(tmp_path / "h.mkv", numbered(), "-c:v", "libx265", "-x265-params", "log-level=none")
        list(iter_frames(ffmpeg_hevc))


def test_a_codec_that_one_ffmpeg_lacks_is_decoded_by_the_other(poor: Path, tmp_path: Path) -> None:
    video = encode(tmp_path / "h.mkv", numbered(), "-c:v", "libx265", "-x265-params", "log-level=none")
    assert "hevc" not in offers(str(poor), "codecs") and "h264" in offers(str(poor), "codecs")
    assert ffmpeg_for("codecs", ["hevc"]) == candidates()[1]
    assert len(list(iter_frames(video))) == FRAMES


def test_an_ffmpeg_that_does_not_run_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\necho 'libx264.so.164: cannot open shared object file' >&2\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    choice._why_it_does_not_run.cache_clear()
    assert str(broken) not in candidates()
    assert len(list(iter_frames(encode(tmp_path / "a.mp4", numbered(), *X264)))) == FRAMES


@pytest.mark.parametrize("channels", [2, 6, 16, 24])
def test_sound_of_many_channels_costs_no_video(tmp_path: Path, channels: int) -> None:
    """As microphones for virtual reality record; AAC knows few such layouts."""
    tones = "|".join(["sin(t)"] * channels)
    plain = encode(tmp_path / "plain.mp4", numbered(), *X264)
    source = tmp_path / "source.mkv"
    sound = ("-f", "lavfi", "-i", f"aevalsrc={tones}:d=0.4:s=48000")
    ffmpeg("-i", plain, *sound, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "pcm_s16le", source)
    notes = write(tmp_path / "out.mp4", sound=source).notes
    assert len(list(iter_frames(tmp_path / "out.mp4"))) == 2
    assert probe(tmp_path / "out.mp4").sound != bool(notes)
    assert all("no sound" in note for note in notes)
    assert channels > 6 or not notes


def test_sound_that_cannot_be_taken_over_is_left_out_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source.mkv"
    ffmpeg(
        "-i", encode(tmp_path / "p.mp4", numbered(), *X264), "-f", "lavfi", "-i", "sine=d=0.4", "-c:v", "copy", source
    )
    monkeypatch.setattr(TimedWriter, "_try", lambda *_: "aac says no")
    assert write(tmp_path / "out.mp4", sound=source).notes == [
        "the annotated video has no sound: that of the source cannot be copied (aac says no)"
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "p.mp4", "source.mkv"]


def test_long_names_are_written_too(tmp_path: Path) -> None:
    """What is not finished has a short name of its own."""
    with VideoWriter(tmp_path / f"{'L' * 250}.avi", WIDTH, HEIGHT, 25) as writer:
        writer.write(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert [len(path.name) for path in tmp_path.iterdir()] == [254]
