"""Splits by name: which clips are learnt from and tested on, and where they lie.

``fd1`` .. ``fd5`` are DFEW's folds, ``afew`` is AFEW's own division. What is done with them belongs to ``train`` and
``evaluate``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nrdfer.config import Profile
from nrdfer.errors import CorpusError, StoreError
from nrdfer.plain_text import name_text
from nrdfer.profiles import last_made
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.verify import refuse_damaged
from nrdfer.stages.shard import FOLDS, read_folds
from nrdfer.stages.train import afew_split
from nrdfer.store import MANIFEST, read_manifest
from nrdfer.store.entries import problem_of

AFEW = "afew"
SPLITS = ("fd1", "fd2", "fd3", "fd4", "fd5", AFEW)


@dataclass(frozen=True)
class Split:
    """One division of a corpus, and the shards its clips lie in."""

    name: str  # of SPLITS
    corpus: str  # dfew | afew
    shards: Path
    train_ids: tuple[str, ...]
    test_ids: tuple[str, ...]


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
        _refuse_changed(folds / FOLDS if folds.is_dir() else folds)
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
