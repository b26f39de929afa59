"""Checks of a user's copy of a corpus: is it complete, and why do its counts differ from the published ones?

Reads what is on disk as the pipeline will, counts clips and frames, and compares them with ``published``. Nothing is
changed, and no picture or video is opened.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import median

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.corpora import published
from nrdfer.corpora.base import Contents, Corpus, Examination, PictureClip, difference
from nrdfer.corpora.labels import candidates, find_label_files, is_csv
from nrdfer.corpora.lists import read_dfew_list

T = 16  # frames that dynamic sampling draws


def examine_dfew(dfew: Corpus, root: Path) -> Examination:
    """Check a copy of DFEW."""
    found = Examination(dfew.name, str(root))
    try:
        corpus = dfew.read(root)
    except CorpusError as error:
        found.note("error", str(error))
        return found
    kinds = {path.suffix.removeprefix(".").lower() for path in find_label_files(root).values()}
    found.note("ok", f"faces in {corpus.folder}, labels from {' and '.join(sorted(kinds))} files")
    _judge_clips(found, corpus)
    _judge_folds(found, corpus)
    _judge_frames(found, corpus)
    _judge_lists(found, corpus, [path for _, path in candidates(root) if not is_csv(path)])
    return found


def _judge_clips(found: Examination, corpus: Contents[PictureClip]) -> None:
    have = Counter(clip.emotion for clip in corpus.clips)
    labelled, clips = len(corpus.clips) + len(corpus.excluded), len(corpus.clips)
    found.counts["clips"] = {emotion: have[emotion] for emotion in EMOTIONS}
    found.counts["labelled"], found.counts["without_faces"] = labelled, len(corpus.excluded)
    if found.counts["clips"] == published.DFEW_EMOTIONS:
        found.note("ok", f"{clips:,} clips with faces, in every emotion as many as published")
    else:
        found.note("warning", f"{clips:,} clips with faces; published: {difference(have, published.DFEW_EMOTIONS)}")
    if corpus.excluded:
        usual = labelled == published.DFEW_NOMINAL and clips == published.DFEW_CLIPS
        reason = (
            f"DFEW's papers print {published.DFEW_NOMINAL:,} single-labelled clips, faces are distributed for "
            f"{published.DFEW_CLIPS:,}, and those are what published work evaluates"
            if usual
            else f"{len(corpus.excluded)} are excluded, e.g. {corpus.excluded[0][0]}: {corpus.excluded[0][1]}"
        )
        found.note("known" if usual else "warning", f"{labelled:,} clips are labelled: {reason}")


def _judge_folds(found: Examination, corpus: Contents[PictureClip]) -> None:
    have = {clip.clip_id: clip.emotion for clip in corpus.clips}
    tests = {k: [clip for clip in fold.test if clip in have] for k, fold in corpus.folds.items()}
    found.counts["test_clips"] = {
        k: {emotion: sum(have[clip] == emotion for clip in clips) for emotion in EMOTIONS} for k, clips in tests.items()
    }
    sizes = {k: len(clips) for k, clips in tests.items()}
    if sizes == published.DFEW_TESTS:
        found.note("ok", f"test folds of {', '.join(map(str, sizes.values()))} clips, as published; disjoint")
    else:
        text = ", ".join(f"fd{k} {n} ({published.DFEW_TESTS[k]})" for k, n in sizes.items())
        found.note("warning", f"test folds differ from the published ones (in brackets): {text}")


def _judge_frames(found: Examination, corpus: Contents[PictureClip]) -> None:
    lengths = [clip.n_frames for clip in corpus.clips]
    frames: Counter[str] = Counter()
    for clip in corpus.clips:
        frames[clip.emotion] += clip.n_frames
    short = sum(n < T for n in lengths)
    found.counts["frames"] = {emotion: frames[emotion] for emotion in EMOTIONS}
    found.counts["lengths"] = {"least": min(lengths), "median": median(lengths), "most": max(lengths), "short": short}
    total = sum(lengths)
    same = total == published.DFEW_FRAMES
    text = f"{total:,} frames, {min(lengths)} to {max(lengths)} a clip, median {median(lengths):g}"
    found.note(
        "ok" if same else "warning", text + (", as published" if same else f"; known: {published.DFEW_FRAMES:,}")
    )
    if short == published.DFEW_SHORT:
        found.note("known", f"{short} clips have fewer than {T} frames, as distributed; sampling repeats their frames")
    elif short:
        found.note("warning", f"{short} clips have fewer than {T} frames; known are {published.DFEW_SHORT}")
    elif same is False and lengths.count(T) >= published.DFEW_SHORT:
        found.note("known", f"no clip has fewer than {T} frames: short ones were padded, as some repositories do")


def _judge_lists(found: Examination, corpus: Contents[PictureClip], lists: list[Path]) -> None:
    """Compare the frame counts in text lists with the disk, which is what counts."""
    if not lists:
        return
    on_disk = {clip.clip_id: clip for clip in corpus.clips}
    clamped: set[str] = set()
    other: set[str] = set()
    labels: set[str] = set()
    for path in lists:
        try:
            rows = read_dfew_list(path)
        except CorpusError as error:  # the labels came from csvs, so this list stops nothing
            found.note("warning", str(error))
            return
        for clip_id, frames, label in rows:
            clip = on_disk.get(clip_id)
            if clip is None:
                continue
            if frames != clip.n_frames:
                (clamped if clip.n_frames < frames == T else other).add(clip_id)
            if EMOTIONS[label] != clip.emotion:
                labels.add(clip_id)
    if clamped:
        found.note(
            "known",
            f"text lists give {T} frames to {len(clamped)} clips that have fewer, as Former-DFER's lists of folds 2 to "
            "5 do; frames are counted on disk",
        )
    if other:
        found.note("warning", f"text lists give {len(other)} clips, e.g. {min(other)}, another length than the disk")
    if labels:
        found.note(
            "warning",
            f"text lists give {len(labels)} clips, e.g. {min(labels)}, another emotion than the labels that are used; "
            "are they numbered in another order?",
        )
    if not clamped and not other:
        found.note("ok", "text lists name as many frames as are on disk")


def examine_afew(afew: Corpus, root: Path) -> Examination:
    """Check a copy of AFEW."""
    found = Examination(afew.name, str(root))
    try:
        videos = afew.read(root).clips
    except CorpusError as error:
        found.note("error", str(error))
        return found
    found.note("ok", f"{len(videos)} videos in class folders below {root}")
    for split, expected in published.AFEW_EMOTIONS.items():
        have = Counter(video.emotion for video in videos if video.split == split)
        found.counts[split] = {emotion: have[emotion] for emotion in EMOTIONS}
        clips = have.total()
        known = published.AFEW_KNOWN[split].get(clips)
        if found.counts[split] == expected:
            found.note("ok", f"{split}: {clips} clips, in every emotion as many as distributed")
        elif known is not None:
            found.note("known", f"{split}: {clips} of {sum(expected.values())} clips: {known}")
        elif clips == sum(expected.values()):
            moved = difference(have, expected)
            found.note(
                "known", f"{split}: {clips} clips, but labels were moved ({moved}); Former-DFER's list does that"
            )
        else:
            found.note("warning", f"{split}: {clips} clips; distributed: {difference(have, expected)}")
    return found
