"""Discovery of videos, and the clip id of each.

Files and folders go in, a sorted list of videos with unique clip ids comes out, and a note on other files in a folder.
Corpora with labels have their own readers (`nrdfer.corpora`), which use `distinct` here for their names; opening videos
does not belong here.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nrdfer.core.errors import CorpusError, UnreadableVideoError
from nrdfer.core.safe_names import shortened
from nrdfer.video.formats import format_of, read_head

#: Suffixes of videos when a folder is searched, with any content (a damaged one is reported); a file named
#: explicitly may have any suffix.
VIDEO_SUFFIXES = frozenset(
    (
        *(".3g2", ".3gp", ".amv", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".h264", ".h265", ".hevc", ".ivf"),
        *(".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut"),
        *(".ogv", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".xvid", ".y4m"),
    )
)
#: What never is one; not opened, for there may be a million.
_OTHER_SUFFIXES = frozenset(
    (
        *(".aac", ".aif", ".aiff", ".ass", ".bmp", ".cfg", ".csv", ".db", ".doc", ".docx", ".exr", ".flac", ".gz"),
        *(".heic", ".htm", ".html", ".ini", ".ipynb", ".jpeg", ".jpg", ".json", ".jsonl", ".lock", ".log", ".m3u"),
        *(".m3u8", ".m4a", ".mat", ".md", ".mp3", ".npy", ".npz", ".ods", ".opus", ".pdf", ".pickle", ".pkl", ".ppm"),
        *(".pt", ".pth", ".py", ".rar", ".rtf", ".safetensors", ".sh", ".srt", ".sub", ".svg", ".tar", ".tif", ".tiff"),
        *(".toml", ".tsv", ".txt", ".vtt", ".wav", ".wma", ".xls", ".xlsx", ".xml", ".yaml", ".yml", ".zip"),
    )
)
_MOST_NAMED = 6  # suffixes in the sentence about what was left out
_log = logging.getLogger(__name__)
LONGEST_ID = 200  # characters of a clip id; file systems end at 255


@dataclass(frozen=True, slots=True)
class Source:
    """One video to process."""

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


def list_sources(paths: Sequence[Path], *, left_out: list[str] | None = None) -> list[Source]:
    """Videos among files and folders (searched recursively, without hidden entries), each once.

    A folder's videos are known by their suffix, or, where that says nothing, by their first bytes. Linked folders are
    entered. Folders are listed in sorted order, otherwise the order given is kept. Where two videos would get one clip
    id (compared without case, as some file systems do), the later gets a number and a note.

    Args:
        paths: files and folders.
        left_out: receives a sentence for each folder that holds something else; without it, that is logged.

    Raises:
        CorpusError: a path does not exist, or no video is found.
    """
    found: dict[Path, Path] = {}  # resolved -> as given: one file named twice is one clip
    notes: list[str] = []
    for path in map(Path, paths):
        if not _exists(path):
            raise CorpusError(f"{path} does not exist; name videos, or folders that hold some")
        if path.is_dir():
            videos, others = videos_below(path)
            if others:
                notes.append(_sentence(path, len(videos), others))
        else:
            videos = [path]
        for video in videos:
            found.setdefault(_resolved(video), video)
    if not found:
        where = ", ".join(str(path) for path in paths) or "an empty list"
        raise CorpusError(
            f"there is no video in {where}; looked in subfolders too, for files ending in "
            f"{' '.join(sorted(VIDEO_SUFFIXES))}, and for others that begin as videos do"
            + "".join(f"; {sentence}" for sentence in notes)
        )
    for sentence in notes:
        if left_out is None:
            _log.warning("%s", sentence)
        else:
            left_out.append(sentence)
    return distinct([(video, clip_id_of(video)) for video in found.values()])


def videos_below(folder: Path) -> tuple[list[Path], Counter[str]]:
    """The videos below a folder, sorted, and the number of other files by suffix."""
    videos: list[Path] = []
    others: Counter[str] = Counter()
    closed: list[OSError] = []
    for path in _files_below(folder, closed):
        suffix = path.suffix.lower()
        if suffix in VIDEO_SUFFIXES or (suffix not in _OTHER_SUFFIXES and _looks_like_video(path)):
            videos.append(path)
        else:
            others[suffix] += 1
    if closed:
        others["folders that may not be opened"] = len(closed)
    return sorted(videos), others


def _files_below(folder: Path, closed: list[OSError]) -> Iterator[Path]:
    """All entries that are not folders, without hidden ones; a broken link counts as a missing file.

    Real folders come first, so that a video in one is called by its own place and not by a link's. A folder that was
    entered is not entered again, so that links in a circle end.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        links: list[Path] = []
        for start in waiting:
            for base, folders, files in os.walk(start, onerror=closed.append):
                here = Path(base)
                try:
                    facts = here.stat()
                except OSError as error:
                    closed.append(error)
                    continue
                if (facts.st_dev, facts.st_ino) in seen:
                    folders.clear()
                    continue
                seen.add((facts.st_dev, facts.st_ino))
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                links += [here / name for name in folders if (here / name).is_symlink()]
                yield from (here / name for name in files if not name.startswith("."))
        waiting = links


def _looks_like_video(path: Path) -> bool:
    try:
        return bool(format_of(read_head(path), path.suffix))
    except UnreadableVideoError:
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a name; a zero byte
        return False


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a link to itself: opening it reports that
        return path.absolute()


def _sentence(folder: Path, videos: int, others: Counter[str]) -> str:
    kinds = [f"{count} {suffix or 'without a suffix'}" for suffix, count in others.most_common()]
    rest = len(kinds) - _MOST_NAMED
    notes = ", ".join(kinds[:_MOST_NAMED]) + (f" and {rest} other kinds" if rest > 0 else "")
    return f"{folder}: {others.total()} of {videos + others.total()} files are left out: they are not videos ({notes})"


def distinct(named: Sequence[tuple[Path, str]]) -> list[Source]:
    """Give every video a unique clip id.

    Args:
        named: videos, each with the id it would have alone. An id that another video has already (compared
            without case, as some file systems do) gets a number, and the source a note about it.

    Returns:
        One source for each video, in the order given; ids that no other video wants are never changed.
    """
    owners: dict[str, Source] = {}
    # names that need no number come first, so that "a-2.mp4" keeps its own
    wanted = {clip_id.casefold() for _, clip_id in named}
    following: dict[str, int] = {}  # lower numbers are taken and need no second search
    sources = []
    for video, alone in named:
        clip_id, note = alone, ""
        key = alone.casefold()
        if key in owners:
            number = following.get(key, 2)
            while (candidate := f"{alone}-{number}").casefold() in owners or candidate.casefold() in wanted:
                number += 1
            following[key] = number + 1
            owner = owners[key]
            note = f"called {candidate}, because {owner.path} already is {owner.clip_id}"
            clip_id = candidate
        owners[clip_id.casefold()] = Source(video, clip_id, note)
        sources.append(owners[clip_id.casefold()])
    return sources
