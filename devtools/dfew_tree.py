"""A tree of DFEW's shape and size: real or drawn lengths, a pool of rendered faces, a link to one of them per frame.

Keep out: building from it (``bench/full_size``).
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nrdfer.config.rendering import CorpusSettings
from nrdfer.core.emotions import emotion_index
from nrdfer.core.progress import Progress
from nrdfer.corpora.labels import candidates, read_labels
from nrdfer.corpora.lists import read_dfew_list
from nrdfer.corpora.published import DFEW_CLIPS, DFEW_EMOTIONS, DFEW_FRAMES, DFEW_NOMINAL
from nrdfer.corpora.synthetic.jobs import plan, render_clip

HIGHEST_ID = 16_372
#: Clips with a label and no pictures: the counts that papers print less those that are distributed.
BARE = {"happiness": 43, "sadness": 114, "neutral": 40, "anger": 56, "surprise": 28, "disgust": 1, "fear": 80}
#: Lengths that are drawn where no lists are given: log-normal with DFEW's median and mean, cut to its range.
MEDIAN, SIGMA, LEAST, MOST = 70.0, 0.437, 11, 847
DISTRIBUTION = f"log-normal, median {MEDIAN:g}, sigma {SIGMA}, cut to {LEAST} to {MOST}"
SPREAD = 3_571  # a prime: where in the pool the next clip begins


@dataclass(frozen=True)
class Clip:
    """One clip to make; without frames it is labelled only."""

    clip_id: str
    emotion: str
    fold: int
    frames: int


def make_tree(
    out: Path, labels: Path | None, clips: int, pictures: int, seed: int, progress: Progress
) -> dict[str, Any]:
    """Make the tree in `out` (which must not exist); returns what was made."""
    if out.exists():
        raise SystemExit(f"{out} exists; name a folder that does not")
    corpus = thin_out(real_clips(labels) if labels else drawn_clips(seed), clips)
    corpus += bare_clips({clip.clip_id for clip in corpus}, round((DFEW_NOMINAL - DFEW_CLIPS) * clips / DFEW_CLIPS))
    pool = render_pool(out / "pool", pictures, seed)
    write_labels(out / "EmoLabel_DataSplit", corpus)
    start = 0
    for done, clip in enumerate(corpus, start=1):
        if clip.frames:
            link_clip(out / "Clip" / "clip_224x224" / clip.clip_id, pool, start, clip.frames)
            start += SPREAD
        if done % 100 == 0 or done == len(corpus):
            progress(done, len(corpus))
    with_pictures = [clip for clip in corpus if clip.frames]
    return {
        "tree": str(out),
        "labelled": len(corpus),
        "clips": len(with_pictures),
        "frames": sum(clip.frames for clip in with_pictures),
        "lengths": f"lists below {labels}" if labels else DISTRIBUTION,
        "pool": {"pictures": len(pool), "bytes": sum(path.stat().st_size for path in pool)},
    }


def real_clips(labels: Path) -> list[Clip]:
    """Every clip of the label files below `labels`, as long as the text lists there say."""
    lengths: dict[str, int] = {}
    for _, path in candidates(labels):
        if path.suffix == ".txt":
            for clip_id, frames, _ in read_dfew_list(path):
                # lists of folds 2 to 5 write short clips as 16 frames: the least is the true number
                lengths[clip_id] = min(frames, lengths.get(clip_id, frames))
    tested = [(c, emotion, k) for k, fold in read_labels(labels).items() for c, emotion in fold.test.items()]
    without = sorted(clip_id for clip_id, _, _ in tested if clip_id not in lengths)
    if without:
        raise SystemExit(f"no text list below {labels} gives the length of {len(without)} clips, e.g. {without[0]}")
    return [Clip(clip_id, emotion, fold, lengths[clip_id]) for clip_id, emotion, fold in tested]


def drawn_clips(seed: int) -> list[Clip]:
    """As many clips of each emotion as DFEW has, with drawn lengths that add up to as many frames as DFEW has."""
    rng = np.random.default_rng([seed, 1])
    lengths = np.clip(np.rint(rng.lognormal(np.log(MEDIAN), SIGMA, DFEW_CLIPS)), LEAST, MOST).astype(int)
    while missing := DFEW_FRAMES - int(lengths.sum()):
        step = 1 if missing > 0 else -1
        free = np.flatnonzero((lengths + step >= LEAST) & (lengths + step <= MOST))
        lengths[rng.choice(free, min(abs(missing), len(free)), replace=False)] += step
    ids = rng.permutation(HIGHEST_ID)[:DFEW_CLIPS] + 1
    emotions = [emotion for emotion, n in DFEW_EMOTIONS.items() for _ in range(n)]
    return [
        Clip(f"{int(number):05d}", emotion, i % 5 + 1, int(frames))
        for i, (number, emotion, frames) in enumerate(zip(ids, emotions, lengths, strict=True))
    ]


def thin_out(corpus: list[Clip], clips: int) -> list[Clip]:
    """`clips` of them, evenly over emotions and folds."""
    if not 35 <= clips <= len(corpus):
        raise SystemExit(f"{clips} clips: between 35 (each emotion in each fold) and {len(corpus)} can be made")
    if clips == len(corpus):
        return sorted(corpus, key=lambda clip: clip.clip_id)
    each: dict[tuple[str, int], list[Clip]] = {}
    for clip in sorted(corpus, key=lambda clip: clip.clip_id):
        each.setdefault((clip.emotion, clip.fold), []).append(clip)
    # first one of each emotion and fold, then evenly
    chosen = {members[0].clip_id: members[0] for members in each.values()}
    rest = [clip for key in sorted(each) for clip in each[key] if clip.clip_id not in chosen]
    wanted = clips - len(chosen)
    chosen |= {clip.clip_id: clip for clip in (rest[i * len(rest) // wanted] for i in range(wanted))}
    return sorted(chosen.values(), key=lambda clip: clip.clip_id)


def bare_clips(taken: set[str], wanted: int) -> list[Clip]:
    """Clips that have a label and no pictures."""
    free = (f"{number:05d}" for number in range(1, HIGHEST_ID + 1))
    ids = [clip_id for clip_id in free if clip_id not in taken]
    emotions = [emotion for emotion, n in BARE.items() for _ in range(n)]
    step = len(emotions) / max(wanted, 1)
    return [Clip(ids[i], emotions[int(i * step)], i % 5 + 1, 0) for i in range(wanted)]


def render_pool(folder: Path, pictures: int, seed: int) -> list[Path]:
    """Render faces of 224 x 224 pixels; clips of several people, so that pictures differ as DFEW's do."""
    settings = CorpusSettings(seed=seed, identities=-(-pictures // (5 * 7 * 16)) * 5)
    jobs = [job for job in plan(settings) if job.corpus == "DFEW"][: -(-pictures // 16)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, cv2.setNumThreads, (1,)) as workers:
        list(workers.map(partial(render_clip, settings=settings, root=folder), jobs))
    made = sorted(folder.rglob("*.jpg"))[:pictures]
    kept = [path.rename(folder / f"{number:05d}.jpg") for number, path in enumerate(made)]
    shutil.rmtree(folder / "DFEW")
    return kept


def write_labels(folder: Path, corpus: list[Clip]) -> None:
    """The ten label files as DFEW's authors distribute them: labels 1 to 7, a fold trains on the other four's tests."""
    rows = sorted((int(clip.clip_id), emotion_index(clip.emotion) + 1, clip.fold) for clip in corpus)
    for part in ("train", "test"):
        subfolder = folder / f"{part}(single-labeled)"
        subfolder.mkdir(parents=True)
        for fold in range(1, 6):
            lines = [f"{number},{label}" for number, label, tested in rows if (tested == fold) == (part == "test")]
            (subfolder / f"set_{fold}.csv").write_text("\n".join(["video_name,label", *lines]) + "\n")


def link_clip(folder: Path, pool: list[Path], start: int, frames: int) -> None:
    """Make a clip's folder: frame after frame a link into the pool."""
    folder.mkdir(parents=True)
    for i in range(frames):
        os.link(pool[(start + i) % len(pool)], f"{folder}/{folder.name}_{i + 1:05d}.jpg")
