"""Clips between two steps: ``<clip_id>.npy`` (T, S, S, 3 uint8 RGB, no loss) and ``<clip_id>.json`` (its `ClipRecord`).

Raw frames, because encoding pictures only to decode them in the next step would cost more than all the rest. Clips are
written and read frame by frame; their content belongs to the steps. In a work folder a receipt vouches for a clip's
files (`nrdfer.store.receipts`): a clip without one, or with a file that does not match it, counts as not written.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nrdfer.core.atomic_files import temporary_beside, write_whole
from nrdfer.core.csv_cells import cell, original
from nrdfer.core.records import ClipRecord
from nrdfer.store.entries import Verify
from nrdfer.store.receipts import vouch, vouched
from nrdfer.video.jpeg import encode_jpeg

if TYPE_CHECKING:
    from nrdfer.faces.contact_sheet import SheetCollector

SHEETS = "sheets"  # contact sheets, <clip_id>.jpg
SHEET_QUALITY = 85
EXCLUDED_CSV = "set_aside.csv"  # clips that could not be used, and why
NOTES = "notes.csv"  # clips that could, and what is odd about them
NOTE = ".note"  # ending of what is odd about one clip, in a work folder
Frames = npt.NDArray[np.uint8]
Clip = tuple[ClipRecord, Frames]


def write_clip(
    folder: Path,
    record: ClipRecord,
    frames: Iterable[Frames],
    size: int,
    sheet: SheetCollector | None = None,
    note: str = "",
) -> None:
    """Write one clip; its receipt appears last, so that a receipt means a finished clip.

    Args:
        folder: existing.
        record: says how many frames there are.
        frames: (S, S, 3) each, as they come.
        size: S.
        sheet: if given, the frames pass it, and the contact sheet is written as well.
        note: what is odd about the clip; a file of its own if there is something.

    Raises:
        ValueError: another number or another shape of frames; nothing is left behind.
    """
    sha256 = _write_frames(folder, record, frames if sheet is None else sheet.passing(frames), size)
    files = clip_names(record.clip_id)
    if sheet is not None:
        files.append(write_sheet(folder, record.clip_id, sheet))
    if note:
        files.append(f"{record.clip_id}{NOTE}")
        write_whole(folder / files[-1], note.encode())
    write_whole(folder / files[1], json.dumps(record.to_dict()).encode())
    vouch(folder, record.clip_id, files, {files[0]: sha256})


def _write_frames(folder: Path, record: ClipRecord, frames: Iterable[Frames], size: int) -> str:
    """Write a clip's array, renamed once it is flushed to the disk; returns its sha256."""
    temporary = temporary_beside(folder / record.clip_id)
    shape = (record.n_frames, size, size, 3)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    digest = hashlib.sha256(header.getvalue())
    count = 0
    try:
        with temporary.open("wb") as handle:
            handle.write(header.getvalue())
            for frame in frames:
                if frame.shape != shape[1:] or frame.dtype != np.uint8:
                    raise ValueError(f"clip {record.clip_id}: a frame is {frame.shape} {frame.dtype}, not {shape[1:]}")
                data = np.ascontiguousarray(frame).data
                handle.write(data)
                digest.update(data)
                count += 1
            if count != record.n_frames:
                raise ValueError(f"clip {record.clip_id}: {count} frames, but its record says {record.n_frames}")
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(folder / f"{record.clip_id}.npy")
    finally:
        temporary.unlink(missing_ok=True)
    return digest.hexdigest()


def read_record(folder: Path, clip_id: str) -> ClipRecord:
    """The record of one clip."""
    return ClipRecord.from_dict(json.loads((folder / f"{clip_id}.json").read_text()))


def read_clip(folder: Path, clip_id: str) -> Clip:
    """The record and the frames (T, S, S, 3) of one clip; frames are read when they are accessed."""
    frames: Frames = np.load(folder / f"{clip_id}.npy", mmap_mode="r", allow_pickle=False)
    return read_record(folder, clip_id), frames


def list_clips(folder: Path) -> list[str]:
    """Clip ids in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.npy") if not path.name.startswith("."))


def read_clips(folder: Path) -> Iterator[Clip]:
    """All clips of a folder in order of their ids, one at a time."""
    return (read_clip(folder, clip_id) for clip_id in list_clips(folder))


def is_written(folder: Path, clip_id: str, verify: Verify = "full") -> bool:
    """Whether a work folder holds a clip that is unchanged since it was written."""
    return f"{clip_id}.npy" in (vouched(folder, clip_id, verify) or ())


def clip_names(clip_id: str) -> list[str]:
    """The files of one clip: its array, and its record."""
    return [f"{clip_id}.npy", f"{clip_id}.json"]


def link_clip(source: Path, out: Path, clip_id: str) -> None:
    """Make a finished clip available in another folder as well, without copying where the disk supports it."""
    for name in clip_names(clip_id):
        _link(source / name, out / name)


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)  # of an earlier try; it may be a name of the source, and must not be written into
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(source, target)


def write_sheet(folder: Path, clip_id: str, sheet: SheetCollector) -> str:
    """Write a clip's contact sheet; returns its name in `folder`."""
    name = f"{SHEETS}/{clip_id}.jpg"
    write_whole(folder / name, encode_jpeg(sheet.sheet(clip_id), SHEET_QUALITY))
    return name


def fewest_faces(folder: Path) -> str | None:
    """The clip whose frames show the target most rarely; None if there is no clip."""
    shares = {}
    for clip_id in list_clips(folder):
        frames = read_record(folder, clip_id).frames
        shares[clip_id] = sum(frame.has_face for frame in frames) / max(len(frames), 1)
    return min(shares, key=lambda clip_id: shares[clip_id], default=None)


def link_sheet(source: Path, out: Path, clip_id: str) -> None:
    """Make a contact sheet, if there is one, available in another folder as well."""
    if (source / SHEETS / f"{clip_id}.jpg").is_file():
        (out / SHEETS).mkdir(exist_ok=True)
        _link(source / SHEETS / f"{clip_id}.jpg", out / SHEETS / f"{clip_id}.jpg")


def write_reasons(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    """Write a table of clips with a reason for each."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["clip_id", "reason"])
        writer.writerows([cell(value) for value in row] for row in rows)


def read_reasons(path: Path) -> list[tuple[str, str]]:
    """The table that `write_reasons` wrote."""
    with path.open(newline="", encoding="utf-8") as handle:
        return [(original(row["clip_id"]), original(row["reason"])) for row in csv.DictReader(handle)]
