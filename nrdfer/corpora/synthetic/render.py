"""The rendered corpus as a whole: all clips on several processes, label files, ground truth, whole or not at all.

One clip belongs to `jobs`, the settings to `settings`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nrdfer.config.rendering import CorpusSettings
from nrdfer.core.emotions import emotion_index
from nrdfer.core.errors import CorpusError
from nrdfer.core.output_checks import refuse_unwritable
from nrdfer.core.own_files import clear_unfinished, publish, refuse_foreign, unfinished
from nrdfer.core.progress import Progress
from nrdfer.corpora.labels import FOLDS
from nrdfer.corpora.synthetic.jobs import ClipJob, plan, render_clip
from nrdfer.runtime.process_pool import completed

__all__ = ["CorpusSettings", "render_corpus"]

RENDERING = "5"  # raise it when equal settings give other pictures
SETTINGS, TRUTH = "settings.json", "ground_truth.jsonl"
_CHUNK = 4  # clips a process takes at a time


def render_corpus(out: Path, settings: CorpusSettings, progress: Progress | None = None, workers: int = 2) -> Path:
    """Render a corpus into `out`; returns at once if `out` holds it already.

    Files: ``AFEW/{Train_AFEW,Val_AFEW}/<Emotion>/<9 digits>.avi``; ``DFEW/Clip/clip_224x224/<id>/<id>_00001.jpg`` and
    ``DFEW/EmoLabel_DataSplit/{train,test}(single-labeled)/set_<k>.csv``; ``settings.json``; and
    ``ground_truth.jsonl``, which no stage of the pipeline reads: one line a clip with ``corpus``, ``clip_id`` (as the
    readers of the corpora name it), ``split``, ``path``, ``emotion``, ``identity``, ``n2_clip``, ``dark``,
    ``second_person``, ``frames`` and, one entry a frame, ``noise`` (`timeline.Noise`), ``intensity``, ``box``
    (x1, y1, x2, y2) and ``points`` (five x, y; image-left eye first), pixels. Box and points are null without a face;
    in frames of ``n1_person`` they are the other person's, in ``n1_occluded`` they say where the hidden face is.

    Every file depends on `settings` alone (videos also on the version of ffmpeg), not on `workers`.

    Args:
        out: folder to make; nothing is seen there before all is written.
        settings: see there.
        progress: called with clips done and clips in all.
        workers: processes; 1 renders in this one.

    Raises:
        CorpusError: `out` holds something else, or the disk is full or not writable.
        NotOursError: `out` holds an older rendering, and something was changed in it or added to it.
        StoreError: nothing can be written there.
        NrdferError: ffmpeg failed.
    """
    jobs = plan(settings)
    labels = functools.partial(_write_labels, jobs=jobs)
    return render_clips(Path(out), jobs, settings, labels, "", progress, workers)


def render_clips(
    out: Path,
    jobs: list[ClipJob],
    settings: CorpusSettings,
    write_labels: Callable[[Path], None],
    layout: str = "",
    progress: Progress | None = None,
    workers: int = 2,
) -> Path:
    """Render clips into `out`, whole or not at all; returns at once if `out` holds them already.

    Args:
        out: folder to make.
        jobs: the clips.
        settings: that they are rendered with, and that are written beside them.
        write_labels: writes the label files into the folder it is given.
        layout: name of the corpus whose layout it is; empty for that of AFEW and DFEW together.
        progress: called with clips done and clips in all.
        workers: processes; 1 renders in this one.

    Raises:
        CorpusError: see `render_corpus`; so are the others.
    """
    about = _description(settings, layout)
    if _is_there(out, about):
        return out
    refuse_unwritable(out, folder=True)
    refuse_foreign(out)  # a user may have added files to one of an older rendering
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        clear_unfinished(out.parent)
        with unfinished(out.parent) as place:
            fresh = place / "fresh"
            fresh.mkdir()
            truths = _render_all(jobs, settings, fresh, progress, workers)
            write_labels(fresh)
            lines = [json.dumps(truth) for truth in truths]
            _write(fresh / TRUTH, "\n".join(lines) + "\n")
            _write(fresh / SETTINGS, json.dumps(about, indent=1) + "\n")
            publish(fresh, out)
    except OSError as error:
        raise CorpusError(f"the corpus could not be written to {out}: {error}; nothing of it was kept") from error
    return out


def _description(settings: CorpusSettings, layout: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(settings)))
    if layout:
        values["layout"] = layout
    return {"rendering": RENDERING, "settings": values}


def _is_there(out: Path, about: dict[str, Any]) -> bool:
    """Whether `out` holds this corpus; one of an older rendering does not count, and may be replaced."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        found = json.loads((out / SETTINGS).read_text())
        values, rendering = found["settings"], found["rendering"]
        if not isinstance(values, dict):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise CorpusError(
            f"{out} exists and is not a rendered corpus; give another folder, or remove this one"
        ) from None
    wanted = about["settings"]
    if values != wanted:
        changed = sorted(key for key in {*values, *wanted} if values.get(key) != wanted.get(key))
        raise CorpusError(
            f"{out} holds a corpus with other settings ({', '.join(changed)}); give another folder, or remove this one"
        )
    return bool(rendering == RENDERING)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _render_all(
    jobs: list[ClipJob], settings: CorpusSettings, root: Path, progress: Progress | None, workers: int
) -> list[dict[str, Any]]:
    truths: list[dict[str, Any]] = []
    chunks = [jobs[start : start + _CHUNK] for start in range(0, len(jobs), _CHUNK)]
    for rendered in _chunks(chunks, settings, root, workers):
        truths += rendered
        if progress is not None:
            progress(len(truths), len(jobs))
    return sorted(truths, key=lambda truth: (truth["corpus"], truth["clip_id"]))


def _chunks(
    chunks: list[list[ClipJob]], settings: CorpusSettings, root: Path, workers: int
) -> Iterator[list[dict[str, Any]]]:
    shared = (settings, root)
    if workers <= 1:
        for chunk in chunks:
            yield _render_chunk(chunk, shared)
        return
    # after a failure nothing new is begun, and no process writes into a folder that is being removed
    for _, rendered in completed(_render_chunk, chunks, workers=workers, what="rendering", shared=shared):
        yield rendered


def _render_chunk(jobs: list[ClipJob], shared: tuple[CorpusSettings, Path]) -> list[dict[str, Any]]:
    settings, root = shared
    return [render_clip(job, settings, root) for job in jobs]


def _write_labels(root: Path, jobs: list[ClipJob]) -> None:
    """The five folds, as DFEW's authors distribute them: labels 1 to 7, a fold trains on the other four's tests."""
    clips = sorted(
        (int(job.clip_id), job.split, emotion_index(job.emotion) + 1) for job in jobs if job.corpus == "DFEW"
    )
    for part in ("train", "test"):
        subfolder = root / "DFEW/EmoLabel_DataSplit" / f"{part}(single-labeled)"
        subfolder.mkdir(parents=True)
        for fold in FOLDS:
            rows = [f"{clip},{label}" for clip, split, label in clips if (split == str(fold)) == (part == "test")]
            _write(subfolder / f"set_{fold}.csv", "\n".join(["video_name,label", *rows]) + "\n")
