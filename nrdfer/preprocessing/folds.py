"""Splits by name: which clips are learnt from and tested on, and where they lie.

``fd1`` .. ``fd5`` are DFEW's folds, ``afew`` is AFEW's own division. What is done with them belongs to
``nrdfer.training`` and ``nrdfer.evaluation``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.core.atomic_files import open_plain
from nrdfer.core.coerce import brief
from nrdfer.core.errors import CorpusError, StoreError
from nrdfer.core.plain_text import name_text
from nrdfer.core.progress import Progress
from nrdfer.faces.stats import luma_of
from nrdfer.preprocessing.clip_files import SET_ASIDE, read_reasons
from nrdfer.preprocessing.quality import ClipQuality, write_quality
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.split import Split
from nrdfer.shards.verify import refuse_damaged
from nrdfer.store import MANIFEST, read_manifest
from nrdfer.store.entries import problem_of
from nrdfer.store.pointers import last_made

AFEW = "afew"
FOLDS_FILE = "folds.json"
SPLITS = ("fd1", "fd2", "fd3", "fd4", "fd5", AFEW)


def find_split(profile: Profile, name: str, shards: Path | None = None, folds: Path | None = None) -> Split:
    """A split of the given shards, or of those that the profile's last run left in the store.

    Args:
        profile: whose last run is meant where `shards` or `folds` are None.
        name: one of `SPLITS`.
        shards: folder of shards; looked at byte by byte, as the store does with those of the last run.
        folds: DFEW's, see `read_folds`, held against the manifest beside them; AFEW's division stands in its shards.

    Raises:
        CorpusError: there is no such split, or it names clips that the shards lack.
        StoreError: the profile has no run that made the shards or folds, or they are damaged, or the given ones are.
    """
    if name not in SPLITS:
        raise CorpusError(f"there is no split {name!r}; splits are {', '.join(SPLITS)}")
    if name == AFEW and folds is not None:
        raise CorpusError("AFEW's division stands in its shards; folds are DFEW's: leave --folds out")
    corpus = AFEW if name == AFEW else "dfew"
    if shards is not None:
        refuse_damaged(shards)
    if folds is not None:
        _refuse_changed(folds / FOLDS_FILE if folds.is_dir() else folds)
    place = shards or last_made(profile, f"{corpus}/shards", "--shards DIR").path
    if name == AFEW:
        return afew_as_split(place)
    source = folds or last_made(profile, "dfew/folds", "--folds FILE").path
    return dfew_split(place, source, int(name.removeprefix("fd")))


def _refuse_changed(path: Path) -> None:
    """Hold a given file of folds against the manifest beside it, where there is one."""
    if not (path.parent / MANIFEST).exists():
        return
    try:
        entry = read_manifest(path.parent)["files"].get(path.name)
    except ValueError as error:
        raise StoreError(f"{name_text(path.parent)} is damaged: {error}") from error
    if entry and (problem := problem_of(path.parent, path.name, entry, MANIFEST)):
        raise StoreError(f"{name_text(path.parent)} is damaged ({problem}); run the step that made it again")


def afew_as_split(shards: Path) -> Split:
    """AFEW's own division.

    Raises:
        CorpusError: a part has no clip left, or the shards are not AFEW's.
    """
    parts = afew_split(shards)
    return Split(AFEW, AFEW, shards, tuple(parts["train"]), tuple(parts["val"]))


def dfew_split(shards: Path, folds: Path, k: int) -> Split:
    """DFEW's fold `k`.

    Args:
        shards: folder of DFEW's shards.
        folds: see `read_folds`.
        k: 1 to 5.

    Raises:
        CorpusError: there is no such fold, or it names clips that the shards lack.
    """
    known = read_folds(folds)
    if str(k) not in known:
        raise CorpusError(f"{folds} has no fold {k}; it has {', '.join(known) or 'none'}")
    fold = known[str(k)]
    with ShardReader(shards) as reader:
        absent = sorted({*fold["train"], *fold["test"]} - set(reader.index.clips))
    if absent:
        raise CorpusError(
            f"{len(absent)} clips of fold {k} are not in {shards}, e.g. {absent[0]}; give the folds that "
            "were made of these shards"
        )
    return Split(f"fd{k}", "dfew", shards, tuple(fold["train"]), tuple(fold["test"]))


def afew_split(shards: Path) -> Mapping[str, list[str]]:
    """AFEW's clips by split: ``train`` and ``val``.

    Raises:
        CorpusError: a split has no clip left, or the shards are not AFEW's.
    """
    reader = ShardReader(shards)
    split: dict[str, list[str]] = {"train": [], "val": []}
    for clip_id in reader.clip_ids:
        name = reader.record(clip_id).split
        if name not in split:
            raise CorpusError(f"clip {clip_id} in {shards} is of split {name!r}, not of AFEW; give AFEW's shards")
        split[name].append(clip_id)
    for name, ids in split.items():
        if not ids:
            raise CorpusError(f"AFEW's split {name!r} has no usable clip in {shards}; see set_aside.csv there")
    return split


def write_folds(
    labelled: Mapping[str, Mapping[str, Sequence[str]]], shards: Path, out: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Write the folds as lists of clip ids that are in the shards, and DFEW's quality page.

    Args:
        labelled: fold -> ``train`` and ``test`` -> clip ids, as labelled.
        shards: folder of DFEW's shards.
        out: folder that receives the folds and the page.
        progress: called with (clips looked at, clips).

    Returns:
        Clips of each fold, and the page's summary.

    Raises:
        CorpusError: a fold's train and test lists share a clip, or a fold is left without clips.
        StoreError: a shard is missing or damaged.
    """
    folds: dict[str, dict[str, list[str]]] = {}
    with ShardReader(shards) as reader:
        present = reader.index.clips
        for k, fold in sorted(labelled.items()):
            train, test = ([clip for clip in fold[part] if clip in present] for part in ("train", "test"))
            shared = set(train) & set(test)
            if shared:
                raise CorpusError(f"fold {k}: {len(shared)} clips are in both train and test, e.g. {min(shared)}")
            if not train or not test:
                raise CorpusError(
                    f"fold {k} has {len(train)} training and {len(test)} test clips with frames; need both"
                )
            folds[k] = {"train": sorted(train), "test": sorted(test)}
        (out / FOLDS_FILE).write_text(json.dumps(folds, indent=1))
        tested = {clip: f"fd{k}" for k, fold in folds.items() for clip in fold["test"]}
        rows = _looked_at(reader, tested, progress)
    summary = write_quality("DFEW: face pictures and folds", rows, read_reasons(shards / SET_ASIDE), out)
    return {"folds": {k: {part: len(ids) for part, ids in fold.items()} for k, fold in folds.items()}, **summary}


def _looked_at(reader: ShardReader, tested: Mapping[str, str], progress: Progress | None) -> list[ClipQuality]:
    """The quality page's rows; of each clip one picture is read."""
    rows = []
    for clip_id, entry in reader.index.clips.items():
        middle = reader.frames(clip_id, [entry.n_frames // 2])
        split = tested.get(clip_id, "in no test fold")
        rows.append(ClipQuality(clip_id, entry.emotion, split, entry.n_frames, luma=round(luma_of(middle), 2)))
        if progress is not None:
            progress(len(rows), len(reader.index.clips))
    return rows


def read_folds(place: Path) -> dict[str, dict[str, list[str]]]:
    """The folds: number -> ``train`` and ``test`` -> clip ids.

    Args:
        place: the folder that `write_folds` filled, or the file in it.

    Raises:
        CorpusError: there is no such file, or it holds something else.
    """
    path = place / FOLDS_FILE if place.is_dir() else place
    try:
        with open_plain(path) as file:
            folds: dict[str, dict[str, list[str]]] = json.load(file)
        parts = [fold[part] for fold in folds.values() for part in ("train", "test")]
        if not all(isinstance(part, list) and all(isinstance(clip, str) for clip in part) for part in parts):
            raise ValueError("train and test must be lists of clip ids")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorpusError(
            f"{path} does not hold folds as the step dfew/folds writes them, "
            f'{{"1": {{"train": [...], "test": [...]}}}}: {brief(str(error) or error)}'
        ) from error
    return folds
