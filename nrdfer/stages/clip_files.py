"""Clips between two steps: ``<clip_id>.npy`` (T, S, S, 3 uint8 RGB, no loss) and ``<clip_id>.json`` (its `ClipRecord`).

Raw frames, because encoding pictures only to decode them in the next step would cost more than all the rest. Clips are
written and read frame by frame; what is in them is the steps' business.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nrdfer.files import write_whole
from nrdfer.records import ClipRecord
from nrdfer.shards.jpeg import encode_jpeg

if TYPE_CHECKING:
    from nrdfer.faces.contact_sheet import SheetCollector

SHEETS = "sheets"  # contact sheets, <clip_id>.jpg
SHEET_QUALITY = 85
SET_ASIDE = "set_aside.csv"  # clips that could not be used, and why
NOTES = "notes.csv"  # clips that could, and what is odd about them
Frames = npt.NDArray[np.uint8]
Clip = tuple[ClipRecord, Frames]


def write_clip(
    folder: Path, record: ClipRecord, frames: Iterable[Frames], size: int, sheet: SheetCollector | None = None
) -> None:
    """Write one clip; its record appears last, so that a record means a finished clip.

    Args:
        folder: existing.
        record: says how many frames there are.
        frames: (S, S, 3) each, as they come.
        size: S.
        sheet: if given, the frames pass it, and the contact sheet is written as well.

    Raises:
        ValueError: another number or another shape of frames; nothing is left behind.
    """
    temporary = folder / f".{record.clip_id}.npy.{os.getpid()}"
    count = 0
    try:
        with temporary.open("wb") as handle:
            shape = (record.n_frames, size, size, 3)
            np.lib.format.write_array_header_1_0(handle, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for frame in frames if sheet is None else sheet.passing(frames):
                if frame.shape != shape[1:] or frame.dtype != np.uint8:
                    raise ValueError(f"clip {record.clip_id}: a frame is {frame.shape} {frame.dtype}, not {shape[1:]}")
                handle.write(np.ascontiguousarray(frame).data)
                count += 1
        if count != record.n_frames:
            raise ValueError(f"clip {record.clip_id}: {count} frames, but its record says {record.n_frames}")
        temporary.replace(folder / f"{record.clip_id}.npy")
    finally:
        temporary.unlink(missing_ok=True)
    if sheet is not None:
        write_sheet(folder, record.clip_id, sheet)
    write_whole(folder / f"{record.clip_id}.json", json.dumps(record.to_dict()).encode())


def read_record(folder: Path, clip_id: str) -> ClipRecord:
    """The record of one clip."""
    return ClipRecord.from_dict(json.loads((folder / f"{clip_id}.json").read_text()))


def read_clip(folder: Path, clip_id: str) -> Clip:
    """The record and the frames (T, S, S, 3) of one clip; frames are read when they are looked at."""
    frames: Frames = np.load(folder / f"{clip_id}.npy", mmap_mode="r", allow_pickle=False)
    return read_record(folder, clip_id), frames


def list_clips(folder: Path) -> list[str]:
    """Clip ids in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.npy") if not path.name.startswith("."))


def read_clips(folder: Path) -> Iterator[Clip]:
    """All clips of a folder in order of their ids, one at a time."""
    return (read_clip(folder, clip_id) for clip_id in list_clips(folder))


def is_written(folder: Path, clip_id: str) -> bool:
    """Whether a clip is there as a whole."""
    return (folder / f"{clip_id}.json").is_file()


def link_clip(source: Path, out: Path, clip_id: str) -> None:
    """Let a finished clip appear in another folder as well, without copying where the disk can do that."""
    for suffix in (".npy", ".json"):
        _link(source / f"{clip_id}{suffix}", out / f"{clip_id}{suffix}")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(source, target)


def write_sheet(folder: Path, clip_id: str, sheet: SheetCollector) -> None:
    """Write a clip's contact sheet."""
    write_whole(folder / SHEETS / f"{clip_id}.jpg", encode_jpeg(sheet.sheet(clip_id), SHEET_QUALITY))


def link_sheet(source: Path, out: Path, clip_id: str) -> None:
    """Let a contact sheet, if there is one, appear in another folder as well."""
    if (source / SHEETS / f"{clip_id}.jpg").is_file():
        (out / SHEETS).mkdir(exist_ok=True)
        _link(source / SHEETS / f"{clip_id}.jpg", out / SHEETS / f"{clip_id}.jpg")


def write_reasons(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    """Write a table of clips and what there is to say of each."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["clip_id", "reason"])
        writer.writerows(rows)


def read_reasons(path: Path) -> list[tuple[str, str]]:
    """The table that `write_reasons` wrote."""
    with path.open(newline="", encoding="utf-8") as handle:
        return [(row["clip_id"], row["reason"]) for row in csv.DictReader(handle)]
