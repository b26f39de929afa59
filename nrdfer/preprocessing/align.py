"""Step: aligned faces of a video corpus.

Clips are finished one by one in a work folder that survives a crash, so a restart repeats at most the clips that were
open, and those whose files are not as they were written; several processes may each work on their own part of the
corpus there. A clip that cannot be used is listed in ``set_aside.csv`` with its reason, and peculiarities of usable
ones in ``notes.csv``. The format of a clip's files belongs to `clip_files`.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nrdfer.core.atomic_files import write_whole
from nrdfer.core.errors import StoreError
from nrdfer.core.plain_text import utf8
from nrdfer.core.progress import Progress
from nrdfer.core.records import ClipRecord, FrameRecord
from nrdfer.faces.align_clip import PROCESS_DIED, ClipPlan, crops
from nrdfer.faces.contact_sheet import SheetCollector
from nrdfer.preprocessing.clip_files import (
    EXCLUDED_CSV,
    NOTE,
    NOTES,
    link_clip,
    link_sheet,
    read_record,
    write_clip,
    write_reasons,
    write_sheet,
)
from nrdfer.preprocessing.video_crops import CropOptions, Tools, crop_video, work_through
from nrdfer.runtime.process_pool import one_thread
from nrdfer.store.entries import Verify
from nrdfer.store.receipts import revoke, vouch, vouched

Row = Mapping[str, Any]
#: Of a clip's frames that show the person. No clip of AFEW has so many frames that five would be less.
LEAST_SHARE = 0.03
_EXCLUDED = ".aside"  # ending of the reason why a clip could not be used


def align_corpus(
    rows: Sequence[Row],
    options: CropOptions,
    work: Path,
    out: Path,
    progress: Progress | None = None,
    *,
    missing: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Align every video of a listing and publish them all: `align_clips`, then `publish`."""
    align_clips(rows, options, work, progress)
    return publish(rows, work, out, missing)


def align_clips(rows: Sequence[Row], options: CropOptions, work: Path, progress: Progress | None = None) -> None:
    """Detect, choose the target and align the videos of a listing, or of a part of it.

    Args:
        rows: of `nrdfer.preprocessing.corpus_listing.VideoListing`.
        options: how videos become crops.
        work: folder that survives a crash; clips that are finished there are left alone.
        progress: called with (clips done, clips).

    Raises:
        WeightsError: the weights cannot be used.
        NoFaceError: a clip has no target, and the settings' `no_face` is "fail".
    """
    work.mkdir(parents=True, exist_ok=True)
    todo = unfinished(rows, work)
    if not todo:
        return
    tools = options.load()
    one_thread()  # this process is one of several that work on chunks
    # a clip that was open when its process died is tried again in a process of its own, which may die
    suspects = [row for row in todo if _started(work, row).is_file()]
    others = [row for row in todo if row not in suspects]
    ended = work_through(
        _align_one,
        others,
        (tools, work),
        workers=options.workers,
        on_death=functools.partial(_died, work=work),
        suspects=suspects,
    )
    for done, _ in enumerate(ended, start=len(rows) - len(todo) + 1):
        if progress is not None:
            progress(done, len(rows))


def unfinished(rows: Sequence[Row], work: Path, verify: Verify = "full") -> list[Row]:
    """The rows for which the work folder holds neither an intact clip nor a reason.

    Args:
        rows: of the listing.
        work: the folder.
        verify: see `nrdfer.store.receipts.vouched`.
    """
    return [row for row in rows if vouched(work, row["clip_id"], verify) is None]


def _align_one(row: Row, shared: tuple[Tools, Path]) -> None:
    tools, work = shared
    if vouched(work, row["clip_id"]) is not None:  # another run that shares the work has finished it meanwhile
        return
    _started(work, row).touch()
    revoke(work, row["clip_id"])
    try:
        crop_video(
            Path(row["path"]),
            tools,
            functools.partial(_keep, work, row, tools.settings.size),
            lambda reason: _exclude(work, row, f"unreadable: {reason}"),
            final=True,
        )
    finally:
        _started(work, row).unlink(missing_ok=True)


def _keep(work: Path, row: Row, size: int, plan: ClipPlan) -> None:
    """Write a clip, or why it is none, with a contact sheet of what there is to see."""
    few = too_few(plan.records)
    if plan.usable and not few:
        record = ClipRecord(
            corpus=row["corpus"],
            clip_id=row["clip_id"],
            emotion=row["emotion"],
            split=row["split"],
            n_frames=len(plan.records),
            source_sha256=row["sha256"],
            frames=plan.records,
            person=row.get("person", ""),
        )
        note = "; ".join(filter(None, (row.get("note"), plan.note)))
        write_clip(work, record, crops(plan, size), size, note=utf8(note))
        return
    sheets = []
    if plan.records:
        sheet = SheetCollector(plan.records)
        collections.deque(sheet.passing(crops(plan, size)), maxlen=0)
        sheets.append(write_sheet(work, row["clip_id"], sheet))
    _exclude(work, row, few or f"{plan.status}: {plan.reason}", sheets)


def too_few(records: Sequence[FrameRecord]) -> str:
    """Reason why a clip shows its person too briefly for training; empty if it does not.

    A few frames that a false detection fills would else give a long clip its label's face.
    """
    with_face = sum(record.has_face for record in records)
    if not 0 < with_face < LEAST_SHARE * len(records):
        return ""
    return (
        f"no_face: the face is in {with_face} of {len(records)} frames, less than {LEAST_SHARE:.0%}: a false "
        "detection, or a passer-by"
    )


def _died(row: Row, work: Path) -> None:
    _exclude(work, row, f"unreadable: {row['path']}: {PROCESS_DIED}")
    _started(work, row).unlink(missing_ok=True)


def _started(work: Path, row: Row) -> Path:
    return work / f".{row['clip_id']}.started"


def _exclude(work: Path, row: Row, reason: str, sheets: Sequence[str] = ()) -> None:
    clip_id = row["clip_id"]
    name = f"{clip_id}{_EXCLUDED}"
    write_whole(work / name, utf8(reason).encode())  # names of files need not be UTF-8
    vouch(work, clip_id, [name, *sheets])


def publish(rows: Sequence[Row], work: Path, out: Path, missing: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """Write all finished clips of a listing and the table of the others to `out`.

    Args:
        rows: of the listing.
        work: folder of the finished clips.
        out: folder that receives them.
        missing: labelled clips that are not in the listing because they have no video, with reasons.

    Returns:
        Counts: clips, frames, frames with a face, excluded clips.

    Raises:
        StoreError: a clip is not finished.
    """
    excluded: list[tuple[str, str]] = list(missing)
    notes: list[tuple[str, str]] = []
    frames = with_face = 0
    for row in rows:
        clip_id = row["clip_id"]
        files = vouched(work, clip_id, "sizes")  # its content was verified when it was found finished
        if files is None:
            raise StoreError(f"clip {clip_id} in {work} is unfinished, or changed since; run the same command again")
        if f"{clip_id}{_EXCLUDED}" in files:
            excluded.append((clip_id, (work / f"{clip_id}{_EXCLUDED}").read_text(encoding="utf-8")))
            link_sheet(work, out, clip_id)
            continue
        link_clip(work, out, clip_id)
        if f"{clip_id}{NOTE}" in files:
            notes.append((clip_id, (work / f"{clip_id}{NOTE}").read_text(encoding="utf-8")))
        record = read_record(out, clip_id)
        frames += record.n_frames
        with_face += sum(frame.has_face for frame in record.frames)
    write_reasons(out / EXCLUDED_CSV, excluded)
    write_reasons(out / NOTES, notes)
    return {
        "clips": len(rows) + len(missing) - len(excluded),
        "frames": frames,
        "frames_with_face": with_face,
        "set_aside": len(excluded),
    }
