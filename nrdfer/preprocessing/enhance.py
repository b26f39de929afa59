"""Step: light enhancement of aligned faces by EnlightenGAN, of each crop or of each whole frame before it is cropped.

As in `align`, clips are finished one by one in a work folder that survives a crash, and several processes may work on
parts of the corpus. The network is `nrdfer.enhance`'s.
"""

from __future__ import annotations

import collections
import dataclasses
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nrdfer.config.alignment import MODES, AlignSettings
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import ProfileError
from nrdfer.core.progress import Progress
from nrdfer.corpora.registry import find_corpus
from nrdfer.preprocessing.clip_files import (
    EXCLUDED_CSV,
    NOTES,
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
from nrdfer.preprocessing.quality import ClipQuality, clip_quality, write_quality
from nrdfer.runtime.process_pool import one_thread
from nrdfer.store.receipts import vouch

if TYPE_CHECKING:
    from nrdfer.enhance.enhancer import Enhancer

Frames = npt.NDArray[np.uint8]


def check_mode(mode: str, where: str) -> None:
    """Refuse an unknown mode.

    Raises:
        ProfileError: see above.
    """
    if mode not in MODES:
        raise ProfileError(f"{where}: enhance is {mode!r}; it must be one of {', '.join(MODES)}")


@dataclass(frozen=True, slots=True)
class EnhanceOptions:
    """Options for enhancement.

    Attributes:
        mode: "none" copies the clips unchanged; "crop" enhances the crops; "frame" enhances the video's frames and
            crops them again, some thirty times as slow.
        weights: EnlightenGAN weights; unused with "none".
        device: "cpu", "cuda" or "auto"; results differ by rounding.
        videos: clip id -> video, for "frame".
        align: settings of the alignment, for "frame".

    Raises:
        ProfileError: an unknown mode.
    """

    mode: str = "crop"
    weights: Path | None = None
    device: str = "cpu"
    videos: Mapping[str, Path] = field(default_factory=dict)
    align: AlignSettings | None = None

    def __post_init__(self) -> None:
        check_mode(self.mode, "enhancement")

    def load(self) -> Enhancer | None:
        """Load the network; None with "none".

        Raises:
            WeightsError: the weights cannot be used.
        """
        if self.mode == "none":
            return None
        from nrdfer.enhance.enhancer import Enhancer
        from nrdfer.runtime.devices import pick_device

        if self.weights is None:
            raise ValueError(f"mode {self.mode!r} needs weights")
        return Enhancer.load(self.weights, pick_device(self.device))


def enhance_corpus(
    aligned: Path, options: EnhanceOptions, work: Path, out: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Enhance every aligned clip and publish them all: `enhance_clips`, then `publish`."""
    enhance_clips(aligned, list_clips(aligned), options, work, progress)
    return publish(aligned, work, out)


def enhance_clips(
    aligned: Path, clip_ids: Sequence[str], options: EnhanceOptions, work: Path, progress: Progress | None = None
) -> None:
    """Enhance some aligned clips.

    Args:
        aligned: folder of aligned clips.
        clip_ids: which of them.
        options: what is enhanced, with what.
        work: folder that survives a crash; clips that are finished there are left alone.
        progress: called with (clips done, clips).

    Raises:
        WeightsError: the weights cannot be used.
        UnreadableVideoError: a video is not the one that was aligned (mode "frame").
    """
    work.mkdir(parents=True, exist_ok=True)
    todo = [clip_id for clip_id in clip_ids if not is_written(work, clip_id)]
    from nrdfer.faces.contact_sheet import SheetCollector

    enhancer = options.load() if todo else None
    if enhancer is not None:
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
            if options.mode == "frame":
                if options.align is None:
                    raise ValueError("mode 'frame' needs the videos and the settings of their alignment")
                changed = _whole_frames(options.videos[clip_id], record.frames, options.align, enhancer)
            enhanced = dataclasses.replace(record, enhanced=f"enlightengan-{options.mode}")
            write_clip(work, enhanced, changed, frames.shape[1], sheet)
        if progress is not None:
            progress(done, len(clip_ids))


def _whole_frames(video: Path, records: Any, settings: AlignSettings, enhancer: Enhancer) -> Iterator[Frames]:
    from nrdfer.faces.align_clip import crops, plan_from_records

    return crops(plan_from_records(video, records, settings), settings.size, enhancer.stream_large)


def publish(aligned: Path, work: Path, out: Path) -> dict[str, Any]:
    """Write all enhanced clips to `out`, with the tables of the alignment, contact sheets and the quality page.

    Returns:
        The page's summary: counts, share of frames with a face, mean luma before and after.
    """
    from nrdfer.faces.stats import luma_of

    clip_ids = list_clips(aligned)
    rows: list[ClipQuality] = []
    title, emotions = "No clip", EMOTIONS
    for clip_id in clip_ids:
        link_clip(work, out, clip_id)
        link_sheet(work, out, clip_id)
        record, after = read_clip(out, clip_id)
        corpus = find_corpus(record.corpus)
        title, emotions = corpus.title, corpus.emotions
        rows.append(clip_quality(record, luma_of(read_clip(aligned, clip_id)[1]), luma_of(after)))
    for table in (EXCLUDED_CSV, NOTES):
        shutil.copyfile(aligned / table, out / table)
    excluded = read_reasons(aligned / EXCLUDED_CSV)
    for clip_id, _ in excluded:
        link_sheet(aligned, out, clip_id)
    return write_quality(f"{title}: aligned and enhanced faces", emotions, rows, excluded, out)
