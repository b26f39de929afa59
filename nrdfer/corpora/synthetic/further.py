"""Small rendered copies of further corpora, each in its own layout, with its emotions, folds and names.

They let everyone take these corpora through the graph without a licence, and show that their readers and the paths of
videos and pictures work together. AFEW's and DFEW's rendered copies are `jobs`' and `render`'s.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nrdfer.config.rendering import CorpusSettings
from nrdfer.core.emotions import AFEW_FOLDERS, EMOTIONS
from nrdfer.core.progress import Progress
from nrdfer.corpora.cremad import EMOTIONS_BY_CODE as CREMAD_CODES
from nrdfer.corpora.ferv39k import CLIPS as FERV39K_CLIPS
from nrdfer.corpora.ferv39k import SETUP as FERV39K_SETUP
from nrdfer.corpora.labels import FOLDS
from nrdfer.corpora.mafw import FACES, MAFW_EMOTIONS, VIDEOS
from nrdfer.corpora.mafw import SETUP as MAFW_SETUP
from nrdfer.corpora.ravdess import EMOTIONS_BY_CODE as RAVDESS_CODES
from nrdfer.corpora.synthetic.jobs import ClipJob
from nrdfer.corpora.synthetic.render import render_clips

MOST_PEOPLE = 10  # of a copy: it is there to try the corpus, not to learn much from
_APART = 1_000_000  # between the numbers of two corpora's clips and people
_SCENES = ("Action", "War")
Place = tuple[str, str, str]  # clip id, the fold that tests it (or train, test), and path


@dataclass(frozen=True)
class Layout:
    """How a corpus is laid out."""

    emotions: tuple[str, ...]
    place: Callable[[int, int, str], Place]  # of the clip of a person, of people, with an emotion
    write_labels: Callable[[Path, list[ClipJob]], None]


def render_copy(
    name: str, out: Path, settings: CorpusSettings, progress: Progress | None = None, workers: int = 2
) -> Path:
    """Render a small copy of the corpus `name` into `out`; returns at once if `out` holds it already.

    Args:
        name: one of `LAYOUTS`.
        out: folder to make.
        settings: its seed, lengths and noise count; of its `identities`, ten at most are rendered.
        progress: called with clips done and clips in all.
        workers: processes; 1 renders in this one.

    Raises:
        CorpusError: see `nrdfer.corpora.synthetic.render.render_corpus`; so are the others.
    """
    jobs = plan_copy(name, settings)
    write_labels = LAYOUTS[name].write_labels
    return render_clips(out, jobs, settings, lambda root: write_labels(root, jobs), name, progress, workers)


def plan_copy(name: str, settings: CorpusSettings) -> list[ClipJob]:
    """All clips of the copy of a corpus: every person with every emotion."""
    layout, people = LAYOUTS[name], min(settings.identities, MOST_PEOPLE)
    start = (list(LAYOUTS).index(name) + 1) * _APART
    jobs: list[ClipJob] = []
    for person in range(people):
        for emotion in layout.emotions:
            clip_id, split, path = layout.place(person, people, emotion)
            jobs.append(ClipJob(name, start + len(jobs), start + person, emotion, clip_id, split, path))
    return jobs


def _ferv39k(person: int, people: int, emotion: str) -> Place:
    scene, folder = _SCENES[person % len(_SCENES)], _class_of(emotion)
    part = "test" if person >= people - people // 5 else "train"
    return f"{scene}_{folder}_{person:04d}", part, f"{FERV39K_CLIPS}/{scene}/{folder}/{person:04d}"


def _class_of(emotion: str) -> str:
    return next(name for name, other in AFEW_FOLDERS.items() if other == emotion)


def _label_ferv39k(root: Path, jobs: list[ClipJob]) -> None:
    rows = {part: [job.path.split("/", 1)[1] for job in jobs if job.split == part] for part in ("train", "test")}
    for part, places in rows.items():
        _write(root / FERV39K_SETUP / f"{part}_All.csv", (f"{place} {place.split('/')[1]}" for place in places))


def _mafw(suffix: str, folder: str, person: int, people: int, emotion: str) -> Place:
    clip_id = f"{person * len(MAFW_EMOTIONS) + MAFW_EMOTIONS.index(emotion) + 1:05d}"
    return clip_id, str(person % len(FOLDS) + 1), f"{folder}/{clip_id}{suffix}"


def _label_mafw(root: Path, jobs: list[ClipJob]) -> None:
    for fold in FOLDS:
        for part in ("train", "test"):
            chosen = [job for job in jobs if (job.split == str(fold)) == (part == "test")]
            lines = (f"{job.clip_id}.mp4 {job.emotion}" for job in chosen)
            _write(root / MAFW_SETUP / f"set_{fold}" / f"{part}.txt", lines)


def _cremad(person: int, people: int, emotion: str) -> Place:
    code = _code(CREMAD_CODES, emotion)
    clip_id = f"{1001 + person}_IEO_{code}_{'XX' if emotion == 'neutral' else 'HI'}"
    return clip_id, str(person % len(FOLDS) + 1), f"VideoFlash/{clip_id}.flv"


def _ravdess(person: int, people: int, emotion: str) -> Place:
    # of few people every second actor, because two neighbours are in one fold
    actor = 2 * person + 1 if 2 * len(FOLDS) > people else person + 1
    clip_id = f"01-01-{_code(RAVDESS_CODES, emotion)}-01-01-01-{actor:02d}"
    return clip_id, str((actor - 1) // 2 % len(FOLDS) + 1), f"Actor_{actor:02d}/{clip_id}.mp4"


def _code(codes: Mapping[str, str], emotion: str) -> str:
    return next(code for code, other in codes.items() if other == emotion)


def _no_labels(root: Path, jobs: list[ClipJob]) -> None:
    """Names of the videos are the labels."""


def _write(path: Path, lines: Iterator[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


LAYOUTS: dict[str, Layout] = {
    "ferv39k": Layout(EMOTIONS, _ferv39k, _label_ferv39k),
    "mafw": Layout(MAFW_EMOTIONS, functools.partial(_mafw, ".mp4", VIDEOS), _label_mafw),
    "mafw_faces": Layout(MAFW_EMOTIONS, functools.partial(_mafw, "", FACES), _label_mafw),
    "cremad": Layout(tuple(CREMAD_CODES.values()), _cremad, _no_labels),
    "ravdess": Layout(tuple(RAVDESS_CODES.values()), _ravdess, _no_labels),
}
