"""Step: light enhancement of aligned faces by EnlightenGAN, of each crop or of each whole frame before it is cropped.

As in `align`, clips are finished one by one in a work folder that survives a crash, and several processes may work on
parts of the corpus. The network is `nrdfer.enhance`'s.
"""

from __future__ import annotations

import collections
import dataclasses
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nrdfer.core.errors import ProfileError
from nrdfer.preprocessing.clip_files import (
    NOTES,
    SET_ASIDE,
    clip_names,
    is_written,
    link_clip,
    link_sheet,
    list_clips,
    read_clip,
    read_reasons,
    write_clip,
    write_sheet,
)
from nrdfer.preprocessing.quality import clip_quality, write_quality
from nrdfer.runtime.process_pool import one_thread
from nrdfer.store.receipts import vouch

if TYPE_CHECKING:
    from nrdfer.enhance.enhancer import Enhancer
    from nrdfer.faces.align_clip import AlignSettings

MODES = ("none", "crop", "frame")
Frames = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]


def check_mode(mode: str, where: str) -> None:
    """Refuse what is no mode.

    Raises:
        ProfileError: see above.
    """
    if mode not in MODES:
        raise ProfileError(f"{where}: enhance is {mode!r}; it must be one of {', '.join(MODES)}")


def enhance_corpus(
    aligned: Path,
    weights: Path | None,
    work: Path,
    out: Path,
    *,
    mode: str = "crop",
    videos: Mapping[str, Path] | None = None,
    settings: AlignSettings | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Enhance every aligned clip and publish them all: `enhance_clips`, then `publish`."""
    clip_ids = list_clips(aligned)
    enhance_clips(
        aligned, clip_ids, weights, work, mode=mode, videos=videos, settings=settings, device=device, progress=progress
    )
    return publish(aligned, work, out)


def enhance_clips(
    aligned: Path,
    clip_ids: Sequence[str],
    weights: Path | None,
    work: Path,
    *,
    mode: str = "crop",
    videos: Mapping[str, Path] | None = None,
    settings: AlignSettings | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> None:
    """Enhance some aligned clips.

    Args:
        aligned: folder of aligned clips.
        clip_ids: which of them.
        weights: EnlightenGAN weights; unused with "none".
        work: folder that survives a crash; clips that are finished there are left alone.
        mode: "none" copies the clips unchanged; "crop" enhances the crops; "frame" enhances the video's frames and
            crops them again, some thirty times as slow.
        videos: clip id -> video, for "frame".
        settings: those of the alignment, for "frame".
        device: "cpu", "cuda" or "auto"; results differ by rounding.
        progress: called with (clips done, clips).

    Raises:
        WeightsError: the weights cannot be used.
        UnreadableVideoError: a video is not the one that was aligned (mode "frame").
        ProfileError: an unknown mode.
    """
    check_mode(mode, "enhancement")
    work.mkdir(parents=True, exist_ok=True)
    todo = [clip_id for clip_id in clip_ids if not is_written(work, clip_id)]
    from nrdfer.faces.contact_sheet import SheetCollector

    enhancer: Enhancer | None = None
    if todo and mode != "none":
        from nrdfer.enhance.enhancer import Enhancer
        from nrdfer.runtime.devices import pick_device

        if weights is None:
            raise ValueError(f"mode {mode!r} needs weights")
        enhancer = Enhancer.load(weights, pick_device(device))
        one_thread()
    for done, clip_id in enumerate(todo, start=len(clip_ids) - len(todo) + 1):
        if is_written(work, clip_id):  # another run that shares the work has finished it meanwhile
            continue
        record, frames = read_clip(aligned, clip_id)
        sheet = SheetCollector(record.frames)
        if enhancer is None:
            collections.deque(sheet.passing(frames), maxlen=0)
            link_clip(aligned, work, clip_id)
            vouch(work, clip_id, [*clip_names(clip_id), write_sheet(work, clip_id, sheet)])
        else:
            changed: Iterable[Frames] = enhancer.stream(frames)
            if mode == "frame":
                if videos is None or settings is None:
                    raise ValueError("mode 'frame' needs the videos and the settings of their alignment")
                changed = _whole_frames(videos[clip_id], record.frames, settings, enhancer)
            enhanced = dataclasses.replace(record, enhanced=f"enlightengan-{mode}")
            write_clip(work, enhanced, changed, frames.shape[1], sheet)
        if progress is not None:
            progress(done, len(clip_ids))


def _whole_frames(video: Path, records: Any, settings: AlignSettings, enhancer: Enhancer) -> Iterator[Frames]:
    from nrdfer.faces.align_clip import crops, plan_from_records

    return crops(plan_from_records(video, records, settings), settings.size, enhancer.stream_large)


def publish(aligned: Path, work: Path, out: Path) -> dict[str, Any]:
    """Put all enhanced clips into `out`, with the tables of the alignment, contact sheets and the quality page.

    Returns:
        The page's summary: counts, share of frames with a face, mean luma before and after.
    """
    from nrdfer.faces.stats import luma_of

    clip_ids = list_clips(aligned)
    rows = []
    for clip_id in clip_ids:
        link_clip(work, out, clip_id)
        link_sheet(work, out, clip_id)
        record, after = read_clip(out, clip_id)
        rows.append(clip_quality(record, luma_of(read_clip(aligned, clip_id)[1]), luma_of(after)))
    for table in (SET_ASIDE, NOTES):
        shutil.copyfile(aligned / table, out / table)
    excluded = read_reasons(aligned / SET_ASIDE)
    for clip_id, _ in excluded:
        link_sheet(aligned, out, clip_id)
    return write_quality("AFEW: aligned and enhanced faces", rows, excluded, out)
