"""Integrity of a decoded video, from ffmpeg's complaints and the container's own numbers.

ffmpeg ends with status 0 however much of a file it had to skip or conceal. Here a file that is truncated, or of which
more than `MAX_LOST` cannot be decoded, is refused with a message; smaller losses become notes. Running ffmpeg belongs
to `decode`, reading its messages to `messages`.
"""

from __future__ import annotations

import shlex
import signal
from pathlib import Path
from typing import NoReturn

from nrdfer.core.errors import MachineError, UnreadableVideoError
from nrdfer.video.container_headers import stated_bytes, stated_frames
from nrdfer.video.ffmpeg import FROM_ELSEWHERE
from nrdfer.video.inputs import MAX_MEMORY
from nrdfer.video.messages import Complaints
from nrdfer.video.refused import refused

MAX_LOST = 0.1  # share of a video's frames that may be damaged beyond decoding, or painted over
MAX_ASPECT = 8.0  # width of a pixel to its height, or the other way round; a larger one is a damaged header
SAME_ASPECT = 1.02  # pixels whose shapes differ by less are rounded differently
#: Codecs whose every packet is one picture, so that packets can be held against frames.
_ONE_TO_ONE = frozenset({"h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "flv1", "wmv1", "wmv2", "wmv3", "vc1",
                         "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "gif", "apng", "vp6f", "vp6", "theora"})  # fmt: skip
_SIGNALLED = frozenset({255, 123})  # ffmpeg's statuses after signals that it handles; also of failures


def raise_if_killed(path: Path, code: int, when: str, *, signalled: bool = False) -> None:
    """Raise if ffmpeg was ended externally: by the kernel for lack of memory, or by a user.

    Args:
        path: the video.
        code: ffmpeg's exit status; negative is a signal.
        when: what it had done by then; ends a sentence.
        signalled: whether it reported that a signal ended it.

    Raises:
        MachineError: it was.
    """
    if -code in FROM_ELSEWHERE:
        how = f"was killed by signal {-code} ({signal.Signals(-code).name})"
    elif signalled and code in _SIGNALLED:
        how = "was terminated by a signal"
    else:
        return
    raise MachineError(
        f"{path}: ffmpeg {how} {when}, because memory ran out, or by a user. This is not the video's fault, so "
        "it is not excluded; use fewer workers if memory is short. Run the same command again to continue"
    )


def refuse_cut(path: Path) -> None:
    """Refuse a file with fewer bytes than its container states: ffmpeg plays it to its end silently.

    Raises:
        UnreadableVideoError: the file is cut short.
    """
    try:
        stated, size = stated_bytes(path), path.stat().st_size
    except OSError as error:
        raise refused(path, error, "cannot be read ({}); is its disk healthy?") from error
    if stated is not None and stated > size + 1:  # a pad byte may be missing
        raise UnreadableVideoError(
            f"{path}: the file is cut short ({size:,} of {stated:,} bytes); copy it again from its source"
        )


def judge(path: Path, code: int, count: int, complaints: Complaints) -> str:
    """Refuse a video that was not decoded whole; returns a note on what is missing, "" if nothing is.

    Args:
        path: the video.
        code: ffmpeg's exit status.
        count: frames that were decoded.
        complaints: its messages.

    Raises:
        UnreadableVideoError: says which defect, and what to do.
        MachineError: ffmpeg was ended from elsewhere.
    """
    raise_if_killed(path, code, f"after {count} frames", signalled=complaints.signalled)
    if complaints.too_large is not None:
        refuse_large(path, *complaints.too_large)
    if complaints.no_index:
        raise UnreadableVideoError(
            f"{path}: the file has no index (moov atom): it is cut short, its recording was never finished, or it is "
            "no MP4 at all; copy it again from its source"
        )
    if complaints.no_pictures:
        raise UnreadableVideoError(f"{path}: there is no video stream in it, only sound or a cover picture")
    if complaints.cut_short:
        raise UnreadableVideoError(
            f"{path}: the file is cut short ({count} frames were decoded before its end); copy it again from its source"
        )
    if complaints.no_memory and code != 0:
        raise UnreadableVideoError(
            f"{path}: ffmpeg needs more memory than it is given ({MAX_MEMORY >> 20:,} MiB): a damaged header, or "
            "pictures that are too large; convert the video to a smaller size"
        )
    if code < 0:
        raise UnreadableVideoError(
            f"{path}: ffmpeg crashed with signal {-code} after {count} frames: convert the video elsewhere, or install "
            "another ffmpeg"
        )
    if code != 0:
        raise UnreadableVideoError(
            f"{path}: ffmpeg stopped with exit status {code} after {count} frames: {complaints.last}"
        )
    advice = f"copy it again, or accept the loss and convert it (ffmpeg -i {shlex.quote(str(path))} ...)"
    if complaints.lost_track:
        raise UnreadableVideoError(
            f"{path}: the file is damaged: what follows {count} frames could not be read ({complaints.last}); {advice}"
        )
    if count == 0:
        raise UnreadableVideoError(f"{path}: not one frame could be decoded: {complaints.last or 'no message'}")
    _refuse_changes(path, complaints)
    return "; ".join(
        filter(None, (_of_losses(path, count, complaints, advice), _of_paint(path, count, complaints, advice)))
    )


def refuse_large(path: Path, width: int, height: int) -> NoReturn:
    """Refuse pictures larger than `inputs.MAX_PIXELS`.

    Raises:
        UnreadableVideoError: always.
    """
    raise UnreadableVideoError(
        f"{path}: pictures of {width} x {height} pixels are larger than any camera's; if they are real, convert "
        "the video to a smaller size"
    )


def _refuse_changes(path: Path, complaints: Complaints) -> None:
    """Refuse pictures of several shapes: all would get the first one's."""
    advice = "which would squeeze faces; split it there, or convert it to one size"
    if len(complaints.sizes) > 1:
        raise UnreadableVideoError(
            f"{path}: the picture's size changes within the video ({', then '.join(complaints.sizes)} pixels), {advice}"
        )
    shapes = {(wide or 1) / (high or 1): f"{wide}:{high}" for wide, high in complaints.aspects if wide and high}
    if shapes and max(shapes) > SAME_ASPECT * min(shapes):
        raise UnreadableVideoError(
            f"{path}: the shape of the picture's pixels changes within the video ({', then '.join(shapes.values())}), "
            f"{advice}"
        )


def _of_losses(path: Path, count: int, complaints: Complaints, advice: str) -> str:
    """A note on missing frames."""
    missing = (stated_frames(path) or 0) - count
    if not complaints.lost_frames:
        # no damage: editing lists and what recorders write into headers; the frames are those that players show
        if missing > 0:
            return f"the file's header states {missing + count} frames, {count} decode"
        if missing == -count and complaints.decoder[:1] and complaints.decoder[0] in _ONE_TO_ONE:
            more = complaints.packets - count - complaints.interlaced  # a field may be a packet of its own
            return f"the file holds {complaints.packets} coded pictures, {count} decode" if more > 0 else ""
        return ""
    lost = max(complaints.lost_frames, missing)  # frames built on a lost one may be lost without a word
    message = f"{lost} of {lost + count} frames could not be decoded"
    if lost > MAX_LOST * (lost + count):
        raise UnreadableVideoError(f"{path}: the file is damaged: {message} ({complaints.last}); {advice}")
    return f"damaged: {message} and are left out"


def _of_paint(path: Path, count: int, complaints: Complaints, advice: str) -> str:
    """A note on frames that are present, but not as they were coded."""
    if complaints.concealed:
        painted = min(complaints.concealed, count)
        message = (
            f"{painted} of {count} frames ({100 * painted / count:.0f} %) are damaged, and the decoder concealed it"
        )
        if painted > MAX_LOST * count:
            raise UnreadableVideoError(
                f"{path}: the file is damaged: {message}, as do frames that build on them; {advice}"
            )
        return f"damaged: {message}; frames that build on them show it, too"
    bad = complaints.bad_packets[complaints.stream]
    if bad:
        return f"damaged: {bad} parts of the stream are missing or damaged; what the pictures show there may be wrong"
    if complaints.painful and not complaints.lost_frames:
        return (
            f"damaged: the decoder met unreadable data ({complaints.last}); it does not say in which of {count} frames"
        )
    return ""
