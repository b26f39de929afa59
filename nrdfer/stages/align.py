"""Steps: aligned faces of a video corpus, and their light enhancement.

Between the steps a clip is two files, ``<clip_id>.npy`` (T, S, S, 3 uint8 RGB, no loss) and ``<clip_id>.json`` (its
`ClipRecord`). Clips are finished one by one in a work folder that survives a crash, so a restart repeats at most the
clips that were open. A clip that cannot be used is set aside in ``set_aside.csv`` with its reason.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nrdfer.files import write_whole
from nrdfer.records import ClipRecord

if TYPE_CHECKING:
    from nrdfer.faces.detector import FaceDetector
    from nrdfer.preprocess import AlignSettings

SET_ASIDE = "set_aside.csv"
Progress = Callable[[int, int], None]
Clip = tuple[ClipRecord, npt.NDArray[np.uint8]]

_detector: FaceDetector | None = None  # one a worker process


def _start_worker(detector: FaceDetector) -> None:
    import torch

    global _detector
    torch.set_num_threads(1)
    _detector = detector


def _align_one(row: Mapping[str, Any], settings: AlignSettings, work: Path) -> tuple[str, str, str]:
    from nrdfer.preprocess import align_clip

    assert _detector is not None  # noqa: S101  the pool's initializer made it
    aligned = align_clip(Path(row["path"]), _detector, settings)
    if aligned.status != "ok":
        write_whole(work / f"{row['clip_id']}.aside", f"{aligned.status}: {aligned.reason}".encode())
        return row["clip_id"], aligned.status, aligned.reason
    record = ClipRecord(
        corpus="afew",
        clip_id=row["clip_id"],
        emotion=row["emotion"],
        split=row["split"],
        n_frames=len(aligned.frames),
        source_sha256=row["sha256"],
        frames=aligned.records,
    )
    write_clip(work, record, aligned.frames)
    return row["clip_id"], "ok", ""


def align_corpus(
    rows: Sequence[Mapping[str, Any]],
    weights: Path,
    settings: AlignSettings,
    work: Path,
    out: Path,
    *,
    convention: str | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Detect, choose the target and align every video of a listing.

    Args:
        rows: listing of `stages.sources.list_afew`.
        weights: RetinaFace weights file.
        settings: detection and alignment settings.
        work: folder that survives a crash; finished clips found there are kept.
        out: folder that receives the finished files.
        convention: input convention of the weights if the file does not say it.
        workers: processes; the result does not depend on their number.
        progress: called with (clips done, clips).

    Returns:
        Counts: clips, frames, frames with a face, clips set aside.

    Raises:
        WeightsError: the weights cannot be used.
    """
    work.mkdir(parents=True, exist_ok=True)
    todo = [row for row in rows if not _finished(work, row["clip_id"])]
    done = len(rows) - len(todo)
    if todo:
        from nrdfer.faces.detector import load_detector

        # here and not in the workers: what is wrong with the weights is told once, and in words
        detector = load_detector(
            weights, convention=convention, threshold=settings.threshold, max_side=settings.max_side
        )
        with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (detector,)) as pool:
            futures = [pool.submit(_align_one, row, settings, work) for row in todo]
            for future in as_completed(futures):
                future.result()
                done += 1
                if progress is not None:
                    progress(done, len(rows))
    return _publish(rows, work, out)


def _finished(work: Path, clip_id: str) -> bool:
    return (work / f"{clip_id}.json").is_file() or (work / f"{clip_id}.aside").is_file()


def _publish(rows: Sequence[Mapping[str, Any]], work: Path, out: Path) -> dict[str, Any]:
    aside: list[tuple[str, str]] = []
    frames = with_face = 0
    for row in rows:
        clip_id = row["clip_id"]
        if (work / f"{clip_id}.aside").is_file():
            aside.append((clip_id, (work / f"{clip_id}.aside").read_text()))
            continue
        for suffix in (".npy", ".json"):
            shutil.copyfile(work / f"{clip_id}{suffix}", out / f"{clip_id}{suffix}")
        record = read_record(out, clip_id)
        frames += record.n_frames
        with_face += sum(frame.has_face for frame in record.frames)
    write_set_aside(out, aside)
    return {
        "clips": len(rows) - len(aside),
        "frames": frames,
        "frames_with_face": with_face,
        "set_aside": len(aside),
    }


def enhance_corpus(aligned: Path, weights: Path | None, out: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Enhance the light of every aligned clip with EnlightenGAN; `weights` None copies the clips unchanged.

    Returns:
        Counts, and the mean luma (0 to 255) of the faces before and after.
    """
    clip_ids = list_clips(aligned)
    shutil.copyfile(aligned / SET_ASIDE, out / SET_ASIDE)
    if weights is not None:
        from nrdfer.enhance.enhancer import Enhancer

        enhancer = Enhancer.load(weights)
    luma = np.zeros(2)
    for done, clip_id in enumerate(clip_ids, start=1):
        record, frames = read_clip(aligned, clip_id)
        luma[0] += frames.mean()
        if weights is not None:
            frames = enhancer.enhance(frames)
            record = dataclasses.replace(record, enhanced="enlightengan-crop")
        luma[1] += frames.mean()
        write_clip(out, record, frames)
        if progress is not None:
            progress(done, len(clip_ids))
    before, after = (luma / max(len(clip_ids), 1)).tolist()
    return {
        "clips": len(clip_ids),
        "mean_level_before": round(before, 2),
        "mean_level_after": round(after, 2),
    }


def write_clip(folder: Path, record: ClipRecord, frames: npt.NDArray[np.uint8]) -> None:
    """Write one clip; its record appears last, so that a record means a finished clip."""
    temporary = folder / f".{record.clip_id}.npy.{os.getpid()}"
    with temporary.open("wb") as handle:
        np.save(handle, frames)
    temporary.replace(folder / f"{record.clip_id}.npy")
    write_whole(folder / f"{record.clip_id}.json", json.dumps(record.to_dict()).encode())


def read_record(folder: Path, clip_id: str) -> ClipRecord:
    """The record of one clip."""
    return ClipRecord.from_dict(json.loads((folder / f"{clip_id}.json").read_text()))


def read_clip(folder: Path, clip_id: str) -> Clip:
    """The record and the frames (T, S, S, 3) of one clip."""
    return read_record(folder, clip_id), np.load(folder / f"{clip_id}.npy", allow_pickle=False)


def list_clips(folder: Path) -> list[str]:
    """Clip ids in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.npy"))


def read_clips(folder: Path) -> Iterator[Clip]:
    """All clips of a folder in order of their ids, one at a time."""
    return (read_clip(folder, clip_id) for clip_id in list_clips(folder))


def write_set_aside(folder: Path, rows: Sequence[tuple[str, str]]) -> None:
    """Write the table of clips that could not be used, with the reason of each."""
    with (folder / SET_ASIDE).open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["clip_id", "reason"])
        writer.writerows(rows)
