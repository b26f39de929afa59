"""Filters between decoder and caller: square pixels, no combs, ordinary brightness.

A progressive picture of ordinary brightness is only scaled to square pixels. Interlaced frames are deinterlaced, HDR is
tone-mapped, both only where the file is flagged accordingly; what this ffmpeg, or any, cannot do becomes a note.
"""

from __future__ import annotations

from dataclasses import dataclass

from nrdfer.video.ffmpeg import ffmpeg_for, offers
from nrdfer.video.integrity import MAX_ASPECT
from nrdfer.video.messages import FRAME_LINES
from nrdfer.video.probe import VideoInfo

#: Transfer functions of HDR, and what people call them.
HDR = {"smpte2084": "HDR10 (PQ)", "arib-std-b67": "HLG"}
#: Brightness of paper, candela per square metre (ITU-R BT.2408): what ordinary video calls white.
WHITE = 203

# Square pixels first (a DVD's are not), then a timestamp of 1000 seconds times the frame's number: far apart
# in every time base an encoder may choose, so that no two frames ever collide.
_SQUARE = "scale=w=round(iw*{aspect}):h=ih:flags=bicubic+accurate_rnd+bitexact,setsar=1,settb=1000,setpts=N"
_DEINTERLACERS = ("bwdif", "yadif")
# faces are below white, where mobius changes nothing; what is brighter is bent to fit
_BEND = "tonemap=mobius:param=0.7:desat=0"


@dataclass(frozen=True)
class Chain:
    """A chain of filters, the ffmpeg that runs it, and a note on it."""

    filters: str
    executable: str
    deinterlaces: bool = False
    maps_tones: bool = False
    notes: tuple[str, ...] = ()


def chain_for(info: VideoInfo | None, executable: str) -> Chain:
    """The filters for a video.

    Args:
        info: its facts; None if they could not be read.
        executable: the ffmpeg that would run; another one takes its place if only that has a filter that is needed.
    """
    if info is None:
        return Chain(f"{FRAME_LINES},{_SQUARE.format(aspect='sar')}", executable)
    steps, notes = [FRAME_LINES], []
    hdr = HDR.get(info.transfer)
    maps = False
    if hdr is not None and info.dolby_vision != 5:
        mapper = ffmpeg_for("filters", ["zscale", "tonemap"], executable)
        maps = mapper is not None
        if mapper is not None:
            executable = mapper
            notes.append(f"{hdr}: its brightness was mapped to that of ordinary video")
        else:
            notes.append(
                f"{hdr}: no ffmpeg on this machine can map its brightness (none has zscale), so that pictures are "
                "darker and paler than they should be; convert the video to SDR"
            )
    deinterlacer = ""
    if info.interlaced:
        there = offers(executable, "filters")
        deinterlacer = next((name for name in _DEINTERLACERS if not there or name in there), "")
    if deinterlacer:
        steps.append(f"{deinterlacer}=mode=send_frame:parity=auto:deint=interlaced")
    if maps:
        steps.append(_to_ordinary(info))
    absurd = not 1 / MAX_ASPECT <= info.aspect <= MAX_ASPECT
    steps.append(_SQUARE.format(aspect="1" if absurd else "sar"))
    return Chain(",".join(steps), executable, bool(deinterlacer), maps, (*notes, *_facts(info, absurd)))


def _facts(info: VideoInfo, absurd: bool) -> list[str]:
    notes = []
    if absurd:
        notes.append(
            f"the file says that its pixels are {info.aspect:.3g} times as wide as high, which is implausible; they "
            "are taken as square"
        )
    if info.dolby_vision == 5:
        notes.append(
            "Dolby Vision profile 5, whose colours only its own players know: faces look green or purple here; convert "
            "the video to SDR where it was recorded"
        )
    return notes


def _to_ordinary(info: VideoInfo) -> str:
    """Filters from HDR to the gamma and colours of BT.709, in full-range RGB; what the file leaves open is BT.2020."""
    given = {
        "tin": info.transfer,
        "min": info.matrix if info.matrix.startswith(("bt2020", "bt709", "smpte170m")) else "bt2020nc",
        "pin": info.primaries if info.primaries in ("bt2020", "bt709", "smpte432") else "bt2020",
        "rin": "pc" if info.full_range else "tv",
    }
    asked = ":".join(f"{name}={value}" for name, value in given.items())
    even = "" if info.coded[0] % 2 == info.coded[1] % 2 == 0 else "format=yuv444p10le,"  # zscale halves no odd side
    return (
        f"{even}zscale={asked}:t=linear:npl={WHITE},format=gbrpf32le,zscale=p=bt709,{_BEND},"
        "zscale=p=bt709:t=bt709:m=gbr:r=pc,format=gbrp"
    )
