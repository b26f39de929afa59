"""Pictures come back as a player shows them: square pixels, no combs, ordinary brightness; or a note says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.video import filters
from nrdfer.video.decode import iter_frames
from nrdfer.video.ffmpeg import ffmpeg_executable
from nrdfer.video.probe import parse_listing, probe
from tests.unit.odd_videos import HEIGHT, WIDTH, X264, encode, ffmpeg, numbered, portrait

X265 = ("-c:v", "libx265", "-x265-params", "log-level=error:pools=1")
SDR = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"


def decoded(path: Path) -> tuple[list[np.ndarray], str]:
    notes: list[str] = []
    frames = list(iter_frames(path, notes=notes))
    return frames, "; ".join(notes)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("plain") / "plain.mp4", numbered(), *X264, "-g", "5")


def combs(frames: list[np.ndarray]) -> float:
    """How much more pictures change from row to row than over two rows."""
    grey = np.stack(frames).astype(float).mean(3)
    return float(np.abs(np.diff(grey, axis=1)).mean() / np.abs(grey[:, 2:] - grey[:, :-2]).mean())


@pytest.mark.parametrize("codec", [("-c:v", "mpeg2video", "-q:v", "2"), X264])
def test_an_aspect_that_changes_midway_is_refused(plain: Path, tmp_path: Path, codec: tuple[str, ...]) -> None:
    """As broadcasters do; the size in pixels stays the same."""
    parts = []
    for name, shape in (("a.ts", "12/11"), ("b.ts", "16/11")):
        ffmpeg("-i", plain, "-vf", f"scale=176:144,setsar={shape}", *codec, "-r", "25", tmp_path / name)
        parts.append((tmp_path / name).read_bytes())
        frames, _ = decoded(tmp_path / name)
        assert frames[0].shape[1] == round(176 * eval_ratio(shape))  # each alone is scaled right
        assert probe(tmp_path / name).width == frames[0].shape[1]
    (tmp_path / "changes.ts").write_bytes(b"".join(parts))
    with pytest.raises(UnreadableVideoError, match=r"changes\.ts: the shape of the picture's pixels changes"):
        decoded(tmp_path / "changes.ts")


def eval_ratio(text: str) -> float:
    wide, high = text.split("/")
    return int(wide) / int(high)


@pytest.mark.parametrize("shape", ["200/1", "1/200"])
def test_an_absurd_aspect_is_bounded(plain: Path, tmp_path: Path, shape: str) -> None:
    ffmpeg("-i", plain, "-c:v", "mpeg4", "-q:v", "2", "-vf", f"setsar={shape}", tmp_path / "absurd.mp4")
    frames, note = decoded(tmp_path / "absurd.mp4")
    assert frames[0].shape == (HEIGHT, WIDTH, 3)
    assert "taken as square" in note
    assert (probe(tmp_path / "absurd.mp4").width, probe(tmp_path / "absurd.mp4").height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "HDR10"), ("arib-std-b67", "HLG")])
def test_hdr_is_mapped_to_ordinary_brightness(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transfer: str, name: str
) -> None:
    path = tmp_path / "hdr.mp4"
    linear = "zscale=t=linear:npl=203,format=gbrpf32le"
    hdr = f"zscale=t={transfer}:p=bt2020:m=bt2020nc:r=tv:npl=203,format=yuv420p10le"
    tags = ("-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc")
    ffmpeg("-i", plain, "-vf", f"{SDR},{linear},{hdr}", *X265, *tags, path)
    ffmpeg("-i", plain, "-vf", SDR, *X264, "-colorspace", "bt709", tmp_path / "sdr.mp4")
    sdr, silence = decoded(tmp_path / "sdr.mp4")
    mapped, note = decoded(path)
    assert silence == ""
    assert name in note and "mapped" in note
    assert np.abs(np.stack(mapped).mean() - np.stack(sdr).mean()) < 4
    assert np.abs(np.stack(mapped).std() - np.stack(sdr).std()) < 4
    monkeypatch.setattr(filters, "ffmpeg_for", lambda *_: None)  # conda's build has no zscale
    unmapped, note = decoded(path)
    assert name in note and "darker and paler" in note
    assert np.stack(unmapped).std() < 0.75 * np.stack(sdr).std()


def moving() -> list[np.ndarray]:
    """Twice as many pictures as frames: fields of a person who moves fast."""
    wide = np.concatenate([portrait(), portrait()], axis=1)
    return [np.ascontiguousarray(wide[:, 5 * i : 5 * i + WIDTH]) for i in range(20)]


@pytest.mark.parametrize("kind", ["i.mpg", "i.ts", "i.mkv"])
def test_interlaced_fields_leave_no_combs(tmp_path: Path, kind: str) -> None:
    plain = encode(tmp_path / "p.mkv", iter(moving()), *X264, "-crf", "6")
    codec = ("-c:v", "mpeg2video", "-q:v", "2") if kind == "i.mpg" else (*X264, "-x264-params", "tff=1")
    ffmpeg(
        *("-i", plain, "-vf", "tinterlace=interleave_top,setfield=tff", "-flags", "+ilme+ildct", *codec),
        *("-r", "12.5" if kind != "i.mpg" else "25", tmp_path / kind),
    )
    frames, note = decoded(tmp_path / kind)
    assert f"{len(frames)} of {len(frames)} frames are interlaced; they were deinterlaced" in note
    progressive, silence = decoded(plain)
    assert silence == ""
    assert combs(frames) < 1.25 * combs(progressive)


def test_colours_and_fields_are_read_from_the_listing() -> None:
    line = "  Stream #0:0: Video: hevc, yuv420p10le(tv, bt2020nc/bt2020/smpte2084, top coded first (swapped)), "
    info = parse_listing(line + "720x576 [SAR 16:15 DAR 4:3], 25 fps\n    Side data:\n      DOVI configuration record: "
                         "version: 1.0, profile: 5, level: 4, rpu flag: 1\n")  # fmt: skip
    assert info is not None
    assert (info.matrix, info.primaries, info.transfer, info.interlaced) == ("bt2020nc", "bt2020", "smpte2084", True)
    assert (info.dolby_vision, info.coded) == (5, (720, 576))
    assert "Dolby Vision profile 5" in "; ".join(filters.chain_for(info, ffmpeg_executable()).notes)


def test_a_codec_tag_is_no_size() -> None:
    """Transport streams are listed with tags such as 0x0002."""
    line = "  Stream #0:0[0x100]: Video: mpeg2video (Main) ([2][0][0][0] / 0x0002), yuv420p(tv), 720x576, 25 fps"
    info = parse_listing(line)
    assert info is not None
    assert (info.width, info.height) == (720, 576)
