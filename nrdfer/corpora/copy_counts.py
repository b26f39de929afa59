"""Checks of a user's copy of a corpus against what its authors' label files hold: clips, folds, frames, people.

DFEW's and AFEW's own deviations are ``doctor``'s; the known counts themselves, ``published``'s. Nothing is changed, and
no picture or video is opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from nrdfer.core.errors import CorpusError
from nrdfer.corpora.base import Contents, Corpus, Examination, PictureClip, VideoClip, difference
from nrdfer.corpora.published import KnownCounts

T = 16  # frames that dynamic sampling draws


def examine_copy(corpus: Corpus, root: Path, known: KnownCounts) -> tuple[Examination, Contents[Any] | None]:
    """Check a copy of a corpus with folds; returns its contents, too, if it could be read."""
    found = Examination(corpus.name, str(root))
    try:
        contents = corpus.read(root)
    except CorpusError as error:
        found.note("error", str(error))
        return found, None
    _judge_clips(found, corpus, contents, known)
    _judge_folds(found, corpus, contents, known)
    if all(isinstance(clip, PictureClip) for clip in contents.clips):
        _judge_frames(found, contents.clips, known)
    else:
        _judge_people(found, contents.clips, known)
    return found, contents


def _judge_clips(found: Examination, corpus: Corpus, contents: Contents[Any], known: KnownCounts) -> None:
    have = Counter(clip.emotion for clip in contents.clips)
    found.counts["clips"] = {emotion: have[emotion] for emotion in corpus.emotions}
    found.counts["labelled"] = len(contents.clips) + len(contents.excluded)
    found.counts["set_aside"] = len(contents.excluded)
    text = f"{len(contents.clips):,} clips in {contents.folder}"
    if changes := difference(have, known.emotions):
        found.note("warning", f"{text}; known ({known.source}): {changes}")
    else:
        found.note("ok", f"{text}, in every emotion as many as known ({known.source})")
    if absent := [emotion for emotion in corpus.emotions if not have[emotion]]:
        found.note("warning", f"no clip of {', '.join(absent)}: a network cannot learn it here")
    if contents.excluded:
        clip_id, reason = contents.excluded[0]
        found.note("warning", f"{len(contents.excluded)} clips are excluded, e.g. {clip_id}: {reason}")


def _judge_folds(found: Examination, corpus: Corpus, contents: Contents[Any], known: KnownCounts) -> None:
    have = {clip.clip_id: clip.emotion for clip in contents.clips}
    tests: dict[int, Mapping[str, int]] = {}
    for k, fold in contents.folds.items():
        counted = Counter(have[clip] for clip in fold.test if clip in have)
        tests[k] = {emotion: counted[emotion] for emotion in corpus.emotions}
    found.counts["test_clips"] = tests
    sizes = {k: sum(counts.values()) for k, counts in tests.items()}
    listed = ", ".join(f"{n:,}" for n in sizes.values())
    if not known.tests:
        found.note("ok", f"test sets of {listed} clips; no person is in train and test")
    elif sizes == known.tests:
        found.note("ok", f"test sets of {listed} clips, as known; none is in train and test")
    else:
        text = ", ".join(f"{corpus.splits[k - 1]} {n:,} ({known.tests.get(k, 0):,})" for k, n in sizes.items())
        found.note("warning", f"test sets differ from the known ones (in brackets): {text}")


def _judge_frames(found: Examination, clips: list[PictureClip], known: KnownCounts) -> None:
    lengths = [clip.n_frames for clip in clips]
    short, total = sum(n < T for n in lengths), sum(lengths)
    found.counts["frames"] = total
    found.counts["lengths"] = {"least": min(lengths), "median": median(lengths), "most": max(lengths), "short": short}
    text = f"{total:,} frames, {min(lengths)} to {max(lengths)} a clip, median {median(lengths):g}"
    if known.frames is None:
        found.note("ok", text)
    elif total == known.frames:
        found.note("ok", f"{text}, as known")
    else:
        found.note("warning", f"{text}; known: {known.frames:,}")
    if short:
        usual = known.short is None or short == known.short
        more = "" if usual else f"; known are {known.short:,}"
        found.note(
            "known" if usual else "warning",
            f"{short:,} clips have fewer than {T} frames; sampling repeats their frames{more}",
        )
    scenes = Counter(clip.scene for clip in clips if clip.scene)
    if scenes:
        found.counts["scenes"] = dict(sorted(scenes.items()))
        same = len(scenes) == known.scenes
        found.note("ok" if same else "warning", f"{len(scenes)} scenes" + ("" if same else f"; known: {known.scenes}"))


def _judge_people(found: Examination, clips: list[VideoClip], known: KnownCounts) -> None:
    people = {clip.person for clip in clips if clip.person}
    if not people:
        return
    found.counts["people"] = len(people)
    same = len(people) == known.people
    found.note("ok" if same else "warning", f"{len(people)} people" + ("" if same else f"; known: {known.people}"))
