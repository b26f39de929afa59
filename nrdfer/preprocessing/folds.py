"""Splits by name: their training and test clips, and the shards that hold them.

A corpus is divided by lists of clip ids, its folds, or each clip states its own part (`nrdfer.corpora.base.Corpus`).
Uses of splits belong to ``nrdfer.training`` and ``nrdfer.evaluation``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.core.atomic_files import open_plain
from nrdfer.core.coerce import brief
from nrdfer.core.errors import CorpusError, StoreError
from nrdfer.core.plain_text import name_text
from nrdfer.core.progress import Progress
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.registry import corpus_of
from nrdfer.faces.stats import luma_of
from nrdfer.preprocessing.clip_files import EXCLUDED_CSV, read_reasons
from nrdfer.preprocessing.quality import ClipQuality, write_quality
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.split import Split
from nrdfer.shards.verify import refuse_damaged
from nrdfer.store import MANIFEST, read_manifest
from nrdfer.store.entries import problem_of
from nrdfer.store.pointers import last_made

FOLDS_FILE = "folds.json"


def find_split(
    profile: Profile, name: str, shards: Path | None = None, folds: Path | None = None, *, index_only: bool = False
) -> Split:
    """A split of the given shards, or of those that the profile's last run left in the store.

    Args:
        profile: whose last run is used where `shards` or `folds` are None.
        name: of a corpus in `nrdfer.corpora.registry`.
        shards: folder of shards; verified byte by byte, as the store does with those of the last run.
        folds: see `read_folds`; checked against the manifest beside them. None if clips state their own parts.
        index_only: whether the given folder may hold no more of the shards than their index; whoever reads them from
            elsewhere compares them with it.

    Raises:
        CorpusError: there is no such split, or it names clips that the shards lack.
        StoreError: the profile has no run that made the shards or folds, or they are damaged, or the given ones are.
    """
    corpus = corpus_of(name)
    return read_split(corpus, name, *_places(profile, corpus, shards, folds, index_only=index_only))


def _places(
    profile: Profile, corpus: Corpus, shards: Path | None, folds: Path | None, *, index_only: bool
) -> tuple[Path, Path | None]:
    """Verified shards and folds; see `find_split`."""
    if corpus.parts is not None and folds is not None:
        raise CorpusError(f"{corpus.title}'s division is stored in its shards, and it has no folds: omit --folds")
    if shards is not None and not index_only:
        refuse_damaged(shards)
    if folds is not None:
        _refuse_changed(folds / FOLDS_FILE if folds.is_dir() else folds)
    place = shards or last_made(profile, corpus.asset("shards"), "--shards DIR").path
    if corpus.parts is None:
        folds = folds or last_made(profile, corpus.asset("folds"), "--folds FILE").path
    return place, folds


def find_tested(
    profile: Profile, corpus: Corpus, shards: Path | None = None, folds: Path | None = None, *, index_only: bool = False
) -> Split:
    """All clips that some split of a corpus tests, as a split that trains on none; otherwise as `find_split`."""
    place, lists = _places(profile, corpus, shards, folds, index_only=index_only)
    found = [read_split(corpus, name, place, lists) for name in corpus.splits]
    return Split(corpus.name, corpus.name, place, (), tuple(sorted({c for s in found for c in s.test_ids})))


def labelled(split: Split, emotions: Collection[str]) -> tuple[list[str], int]:
    """Test clips of a split that have one of some emotions, and the number of the others."""
    with ShardReader(split.shards) as reader:
        kept = [clip_id for clip_id in split.test_ids if reader.index.clips[clip_id].emotion in emotions]
    return kept, len(split.test_ids) - len(kept)


def _refuse_changed(path: Path) -> None:
    """Check a given file of folds against the manifest beside it, where there is one."""
    if not (path.parent / MANIFEST).exists():
        return
    try:
        entry = read_manifest(path.parent)["files"].get(path.name)
    except ValueError as error:
        raise StoreError(f"{name_text(path.parent)} is damaged: {error}") from error
    if entry and (problem := problem_of(path.parent, path.name, entry, MANIFEST)):
        raise StoreError(f"{name_text(path.parent)} is damaged ({problem}); run the step that made it again")


def read_split(corpus: Corpus, name: str, shards: Path, folds: Path | None = None) -> Split:
    """A split of a corpus.

    Args:
        corpus: that is divided.
        name: one of its splits.
        shards: folder of its shards.
        folds: see `read_folds`; None if its clips state their own parts.

    Raises:
        CorpusError: a part has no clip left, there is no such fold, or it names clips that the shards lack.
    """
    if folds is None:
        return Split(name, corpus.name, shards, *_read_parts(corpus, shards))
    k, known = corpus.fold(name), read_folds(folds)
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
    return Split(name, corpus.name, shards, tuple(fold["train"]), tuple(fold["test"]))


def _read_parts(corpus: Corpus, shards: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Training and test clips of a corpus whose clips state their own part."""
    train, test = corpus.parts or ("train", "test")
    parts: dict[str, list[str]] = {train: [], test: []}
    title = corpus.title
    reader = ShardReader(shards)
    for clip_id in reader.clip_ids:
        part = reader.record(clip_id).split
        if part not in parts:
            raise CorpusError(f"clip {clip_id} in {shards} is of split {part!r}, not of {title}; give {title}'s shards")
        parts[part].append(clip_id)
    for part, ids in parts.items():
        if not ids:
            raise CorpusError(f"{title}'s split {part!r} has no usable clip in {shards}; see set_aside.csv there")
    return tuple(parts[train]), tuple(parts[test])


def write_folds(
    corpus: Corpus,
    labelled: Mapping[str, Mapping[str, Sequence[str]]],
    shards: Path,
    out: Path,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the folds as lists of clip ids that are in the shards, and the corpus's quality page.

    Args:
        corpus: that is divided.
        labelled: fold -> ``train`` and ``test`` -> clip ids, as labelled.
        shards: folder of its shards.
        out: folder that receives the folds and the page.
        progress: called with (clips read, clips).

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
        tested = {clip: corpus.splits[int(k) - 1] for k, fold in folds.items() for clip in fold["test"]}
        rows = _looked_at(reader, tested, progress)
    faces = "faces" if corpus.videos else "face pictures"
    title, excluded = f"{corpus.title}: {faces} and folds", read_reasons(shards / EXCLUDED_CSV)
    summary = write_quality(title, corpus.emotions, rows, excluded, out)
    return {"folds": {k: {part: len(ids) for part, ids in fold.items()} for k, fold in folds.items()}, **summary}


def _looked_at(reader: ShardReader, tested: Mapping[str, str], progress: Progress | None) -> list[ClipQuality]:
    """The quality page's rows; one picture of each clip is read."""
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
            f"{path} does not hold folds as the step folds of a corpus writes them, "
            f'{{"1": {{"train": [...], "test": [...]}}}}: {brief(str(error) or error)}'
        ) from error
    return folds
