"""Checks of the data steps' output: nothing is lost, every class remains, faces were found, and no fold leaks.

A check reads the artefacts themselves and not what their steps counted. Validating a user's input, and whether a
shard's bytes are undamaged (`nrdfer.shards.verify`), do not belong here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nrdfer.preprocessing.clip_files import EXCLUDED_CSV, list_clips, read_reasons, read_record
from nrdfer.preprocessing.corpus_listing import VideoListing
from nrdfer.preprocessing.picture_listing import PictureListing
from nrdfer.shards.reader import ShardReader

#: More clips excluded than kept indicate a fault of the videos, the weights or the settings, not of single clips.
#: On AFEW and on the rendered corpus, only single clips are excluded.
MAX_EXCLUDED = 0.5
#: Frames with the target among all frames of the kept clips. Film clips that were chosen for their faces show one in
#: most frames; a detector that finds fewer than half of them misses faces, or has the wrong input convention.
LEAST_WITH_FACE = 0.5
_NAMED = 5  # clips that a message names

Folds = Mapping[str, Mapping[str, Sequence[str]]]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a check: no problems, or one sentence for each; and figures in any case."""

    problems: tuple[str, ...]
    figures: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


def judge_faces(rows: Sequence[Row], aligned: Path, missing: Sequence[tuple[str, str]] = ()) -> Verdict:
    """Check that faces were found in enough clips, and in enough of their frames.

    Args:
        rows: of the listing.
        aligned: folder of the clips that faces were found in, with the table of the others.
        missing: labelled clips without a video, with reasons, as the listing has them.
    """
    labelled = [*(row["clip_id"] for row in rows), *(clip_id for clip_id, _ in missing)]
    shares: list[float] = []
    frames = found = 0
    clip_ids = list_clips(aligned)
    for clip_id in clip_ids:
        record = read_record(aligned, clip_id)
        there = sum(frame.has_face for frame in record.frames)
        shares.append(there / record.n_frames)
        frames += record.n_frames
        found += there
    excluded = read_reasons(aligned / EXCLUDED_CSV)
    problems = _add_up(labelled, clip_ids, [clip_id for clip_id, _ in excluded], "aligned")
    if len(excluded) > MAX_EXCLUDED * len(labelled):
        reasons = Counter(reason.split(":")[0] for _, reason in excluded)
        listed = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        problems.append(
            f"{len(excluded)} of {len(labelled)} clips were excluded ({listed}; e.g. {excluded[0][0]}: "
            f"{excluded[0][1]}); check the videos, RetinaFace's weights and their convention, and the setting align; "
            f"all reasons: {aligned / EXCLUDED_CSV}"
        )
    if found < LEAST_WITH_FACE * frames:
        problems.append(
            f"the target was found in {found} of {frames} frames, fewer than {LEAST_WITH_FACE:.0%}; inspect "
            "the contact sheets, and check RetinaFace's weights and their convention, and the setting align"
        )
    quantiles = np.quantile(shares, [0, 0.05, 0.5]).round(4).tolist() if shares else [None] * 3
    names = ("lowest_share_of_a_clip", "share_of_a_clip_5_percent", "share_of_a_clip_median")
    figures = {
        "clips": len(shares),
        "set_aside": len(excluded),
        "most_set_aside": MAX_EXCLUDED,
        "share_of_frames_with_face": round(found / frames, 4) if frames else None,
        "least_share_of_frames_with_face": LEAST_WITH_FACE,
        "clips_with_face_in_less_than_half": sum(share < 0.5 for share in shares),
        **dict(zip(names, quantiles, strict=True)),
    }
    return Verdict(tuple(problems), {name: figure for name, figure in figures.items() if figure is not None})


def judge_parts(rows: Sequence[Row], shards: Path, emotions: Sequence[str]) -> Verdict:
    """Check that every listed video is in the shards or excluded, once, with its listed emotion and split.

    Args:
        rows: of the listing.
        shards: folder of the shards.
        emotions: the label set.
    """
    excluded = [clip_id for clip_id, _ in read_reasons(shards / EXCLUDED_CSV)]
    counted = Counter(row["clip_id"] for row in rows)
    problems = _examples(
        "listed more than once, in train and val or in one of them", (c for c in counted if counted[c] > 1)
    )
    listed = {row["clip_id"]: row for row in rows}
    frames = 0
    present: Counter[tuple[str, str]] = Counter()
    other_frames, other_labels = [], []
    with ShardReader(shards) as reader:
        problems += _add_up(listed, reader.index.clips, excluded)
        for clip_id, entry in reader.index.clips.items():
            record = reader.record(clip_id)
            frames += entry.n_frames
            if record.n_frames != entry.n_frames or len(record.frames) != entry.n_frames:
                other_frames.append(clip_id)
            if clip_id not in listed:
                continue  # reported above
            row = listed[clip_id]
            present[row["split"], row["emotion"]] += 1
            if not record.emotion == entry.emotion == row["emotion"] or record.split != row["split"]:
                other_labels.append(clip_id)
        in_shards = len(reader.index.clips)
    problems += _examples("with another number of frames in the record than in the index", other_frames)
    problems += _examples("with another emotion or split in the shards than in the listing", other_labels)
    wanted = Counter((row["split"], row["emotion"]) for row in rows)
    for split, emotion in sorted(set(wanted) - set(present)):
        problems.append(
            f"{split} has no clip of {emotion} left, though {wanted[split, emotion]} are listed; see "
            f"{shards / EXCLUDED_CSV}"
        )
    videos: dict[str, set[str]] = {}
    for row in rows:
        videos.setdefault(row["sha256"], set()).add(row["split"])
    return Verdict(
        tuple(problems),
        {
            "clips_listed": len(rows),
            "clips_in_shards": in_shards,
            "clips_set_aside": len(excluded),
            "frames": frames,
            "clips_per_class": {
                split: {emotion: present[split, emotion] for emotion in emotions}
                for split in sorted({split for split, _ in wanted})
            },
            # reported, not refused: the corpus's user decides whether two names of one file are a fault
            "videos_in_train_and_val": sum(len(splits) > 1 for splits in videos.values()),
        },
    )


def judge_listed_clips(
    listing: PictureListing | VideoListing, shards: Path, folds: Folds, label_set: Sequence[str]
) -> Verdict:
    """Check that every listed clip is in the shards or excluded, and that each fold has every class of its labels.

    Args:
        listing: the clips. Labelled clips without pictures have no emotion there, so a class that only such clips
            have is not required.
        shards: folder of the shards.
        folds: as they were assembled.
        label_set: of the corpus.
    """
    emotions = listing.emotions()
    with ShardReader(shards) as reader:
        in_shards = {clip_id: entry.emotion for clip_id, entry in reader.index.clips.items()}
    excluded = [clip_id for clip_id, _ in read_reasons(shards / EXCLUDED_CSV)]
    problems = _add_up({*emotions, *(clip_id for clip_id, _ in listing.excluded)}, in_shards, excluded)
    problems += _examples(
        "with another emotion in the shards than in the listing",
        (clip_id for clip_id in in_shards if clip_id in emotions and in_shards[clip_id] != emotions[clip_id]),
    )
    counts: dict[str, dict[str, int]] = {}
    for k, fold in sorted(listing.folds.items()):
        for part in ("train", "test"):
            wanted = {emotions[clip_id] for clip_id in fold[part] if clip_id in emotions}
            present = Counter(in_shards.get(clip_id) for clip_id in folds.get(k, {}).get(part, ()))
            counts[f"fold {k} {part}"] = {emotion: present[emotion] for emotion in label_set}
            problems += [
                f"fold {k}: no {part} clip of {emotion} is left, though it is labelled with some; see "
                f"{shards / EXCLUDED_CSV}"
                for emotion in sorted(wanted)
                if not present[emotion]
            ]
    return Verdict(
        tuple(problems),
        {
            "clips_listed": len(emotions) + len(listing.excluded),
            "clips_in_shards": len(in_shards),
            "clips_set_aside": len(excluded),
            "clips_per_class": counts,
        },
    )


def judge_folds(shards: Path, folds: Folds) -> Verdict:
    """Check that the folds keep training and test apart, and test every clip once; a single one, that it has all."""
    with ShardReader(shards) as reader:
        clips = set(reader.clip_ids)
    tested = Counter(clip_id for fold in folds.values() for clip_id in fold["test"])
    leaks = {k: sorted(set(fold["train"]) & set(fold["test"])) for k, fold in folds.items()}
    problems = [problem for k, leak in leaks.items() for problem in _examples(f"in train and test of fold {k}", leak)]
    repeated = [clip_id for clip_id in tested if tested[clip_id] > 1]
    problems += _examples("in two test folds", repeated)
    trained = {clip_id for fold in folds.values() for clip_id in fold["train"]}
    if len(folds) > 1:
        problems += _examples("in no test fold", clips - set(tested))
    else:  # an official division into training and test
        problems += _examples("neither in train nor in test", clips - set(tested) - trained)
    problems += _examples(
        "in a fold and not in the shards", {c for f in folds.values() for p in f.values() for c in p} - clips
    )
    return Verdict(
        tuple(problems),
        {
            "clips_in_train_and_test": {k: leak[:_NAMED] for k, leak in leaks.items() if leak},
            "clips_in_no_test_fold": len(clips - set(tested)),
            "clips_in_two_test_folds": len(repeated),
            "clips_tested": tested.total(),
        },
    )


def _add_up(
    listed: Iterable[str], kept: Iterable[str], excluded: Sequence[str], where: str = "in the shards"
) -> list[str]:
    """Check that every listed clip is either kept or excluded, and none is both."""
    known, present, left = set(listed), set(kept), Counter(excluded)
    return [
        *_examples(f"listed, and neither {where} nor excluded", known - present - set(left)),
        *_examples(f"{where} and not listed", present - known),
        *_examples("excluded and not listed", set(left) - known),
        *_examples(f"{where}, though excluded", present & set(left)),
        *_examples("excluded more than once", (clip_id for clip_id in left if left[clip_id] > 1)),
    ]


def _examples(what: str, clips: Iterable[str]) -> list[str]:
    """One sentence about some clips; none if there are none."""
    named = sorted(clips)
    if not named:
        return []
    count = "1 clip is" if len(named) == 1 else f"{len(named)} clips are"
    return [f"{count} {what}, e.g. {', '.join(named[:_NAMED])}"]
