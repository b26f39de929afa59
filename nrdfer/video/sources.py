"""Which videos to work on, and what each is called.

Files and folders go in, a sorted list of videos with unique clip ids comes out. Corpora with labels have
their own readers (`nrdfer.corpora`), which use `distinct` here for their names; opening videos does not belong here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nrdfer.errors import CorpusError
from nrdfer.names import shortened

#: What counts as a video when a folder is searched; a file named outright is taken whatever its suffix.
VIDEO_SUFFIXES = frozenset(
    (
        *(".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
        *(".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
    )
)
LONGEST_ID = 200  # characters of a clip id; file systems end at 255


@dataclass(frozen=True, slots=True)
class Source:
    """One video to work on."""

    path: Path
    clip_id: str  # unique in its list, letters, digits, _ and - only
    note: str = ""  # set where another name had to be given


def clip_id_of(path: Path) -> str:
    """A clip id from a file's stem: dots and every character outside A-Z a-z 0-9 _ - become "-".

    A dot would split the keys of a WebDataset shard. A long name is cut and given a digest, because folders and files
    that are called after it have endings of their own.
    """
    plain = re.sub(r"[^A-Za-z0-9_\-]+", "-", path.stem).strip("-") or "clip"
    return shortened(plain, LONGEST_ID, os.fsencode(path.stem))


def list_sources(paths: Sequence[Path]) -> list[Source]:
    """Videos among files and folders (searched recursively, hidden entries aside), each once.

    Folders are listed in sorted order, otherwise the order given is kept. Where two videos would get one clip
    id (compared without case, as some file systems do), the later gets a number and a note.

    Raises:
        CorpusError: a path does not exist, or no video is found.
    """
    found: dict[Path, Path] = {}  # resolved -> as given: one file named twice is one clip
    for path in map(Path, paths):
        if not path.exists():
            raise CorpusError(f"{path} does not exist; name videos, or folders that hold some")
        for video in _videos_below(path) if path.is_dir() else [path]:
            found.setdefault(video.resolve(), video)
    if not found:
        where = ", ".join(str(path) for path in paths) or "an empty list"
        raise CorpusError(
            f"there is no video in {where}; looked in subfolders too, for files ending in "
            f"{' '.join(sorted(VIDEO_SUFFIXES))}"
        )
    return distinct([(video, clip_id_of(video)) for video in found.values()])


def _videos_below(folder: Path) -> list[Path]:
    def hidden(path: Path) -> bool:
        return any(part.startswith(".") for part in path.relative_to(folder).parts)

    # whatever is no folder: a link that leads nowhere is a video that is missing, and shall be told
    every = (path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir())
    return sorted(path for path in every if not hidden(path))


def distinct(named: Sequence[tuple[Path, str]]) -> list[Source]:
    """Give every video a clip id of its own.

    Args:
        named: videos, each with the id it would have alone. An id that another video has already (compared
            without case, as some file systems do) gets a number, and the source a note that says so.

    Returns:
        One source for each video, in the order given; ids that no other video wants are never changed.
    """
    owners: dict[str, Source] = {}
    # names that need no number come first, so that "a-2.mp4" keeps its own
    wanted = {clip_id.casefold() for _, clip_id in named}
    sources = []
    for video, alone in named:
        clip_id, note = alone, ""
        if clip_id.casefold() in owners:
            number = 2
            while (candidate := f"{alone}-{number}").casefold() in owners or candidate.casefold() in wanted:
                number += 1
            owner = owners[alone.casefold()]
            note = f"called {candidate}, because {owner.path} already is {owner.clip_id}"
            clip_id = candidate
        owners[clip_id.casefold()] = Source(video, clip_id, note)
        sources.append(owners[clip_id.casefold()])
    return sources
