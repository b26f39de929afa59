"""Step: the listing of a corpus of face pictures, one line a clip with the sha256 of every picture.

DFEW's names 900,000 pictures (75 MB), so it is never in memory as a whole: processes hash and write parts of it, which
survive a crash, and readers go through it clip by clip. The location of a corpus, and the detection of changes, belong
to `corpus_listing`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from nrdfer.core.atomic_files import open_plain, write_whole
from nrdfer.core.errors import CorpusError
from nrdfer.core.progress import Progress
from nrdfer.corpora.base import Contents, Corpus, PictureClip
from nrdfer.preprocessing.corpus_listing import LISTING, VideoListing, folds_as_written
from nrdfer.runtime import process_pool
from nrdfer.store import digest_of
from nrdfer.store.receipts import vouch, vouched

CLIPS = "clips.jsonl"
_PART = 128  # clips that are hashed at a time
_MOST = 4  # processes: hashing is quick, and more of them would only wait for the disk


@dataclass(frozen=True, slots=True)
class ListedClip:
    """One line of the listing."""

    clip_id: str
    emotion: str
    sha256: str  # of its pictures' sha256
    folder: str
    frames: tuple[tuple[str, str], ...]  # name and sha256 of each picture, in order
    scene: str = ""  # written if the corpus says which

    def to_line(self) -> str:
        """The line, without its end."""
        names, digests = zip(*self.frames, strict=True)
        fields = (self.clip_id, self.emotion, self.sha256, self.folder, names, digests)
        scene = {"scene": self.scene} if self.scene else {}
        return json.dumps({**dict(zip(_FIELDS, fields, strict=True)), **scene}, separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str | bytes) -> ListedClip:
        """Read a line."""
        fields = json.loads(line)
        clip_id, emotion, sha256, folder, names, digests = (fields[name] for name in _FIELDS)
        return cls(clip_id, emotion, sha256, folder, tuple(zip(names, digests, strict=True)), fields.get("scene", ""))


_FIELDS = ("clip_id", "emotion", "sha256", "folder", "frames", "frames_sha256")


@dataclass(frozen=True, slots=True)
class Part:
    """Some clips whose pictures one process hashes, and the file of their lines; a receipt vouches for it."""

    clips: tuple[PictureClip, ...]
    path: Path

    @property
    def is_finished(self) -> bool:
        """Whether the file exists and is unchanged since it was written."""
        return vouched(self.path.parent, self.path.stem) is not None

    @property
    def n_frames(self) -> int:
        """Pictures of all its clips."""
        return sum(clip.n_frames for clip in self.clips)


class PictureListing:
    """The listing that `list_pictures` wrote into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        about = json.loads((folder / LISTING).read_text())
        self.folds: Mapping[str, Mapping[str, Sequence[str]]] = about["folds"]
        self.excluded: list[tuple[str, str]] = [(clip_id, reason) for clip_id, reason in about["set_aside"]]

    def clips(self) -> Iterator[ListedClip]:
        """All clips in order, one at a time."""
        with (self.folder / CLIPS).open("rb") as lines:
            yield from map(ListedClip.from_line, lines)

    def emotions(self) -> dict[str, str]:
        """Clip id -> emotion of all clips."""
        return {clip.clip_id: clip.emotion for clip in self.clips()}

    def groups(self, size: int) -> list[tuple[int, int]]:
        """Start (in bytes) and number of clips of each group of `size` clips; the last may have fewer."""
        groups: list[tuple[int, int]] = []
        offset = 0
        with (self.folder / CLIPS).open("rb") as lines:
            while group := [len(line) for line in islice(lines, size)]:
                groups.append((offset, len(group)))
                offset += sum(group)
        return groups


def open_listing(corpus: Corpus, folder: Path) -> VideoListing | PictureListing:
    """The listing of a corpus of either kind."""
    return VideoListing(corpus, folder) if corpus.videos else PictureListing(folder)


def read_group(folder: Path, offset: int, count: int) -> Iterator[ListedClip]:
    """`count` clips of the listing in `folder`, from the line that begins at byte `offset`."""
    with (folder / CLIPS).open("rb") as lines:
        lines.seek(offset)
        yield from map(ListedClip.from_line, islice(lines, count))


def list_pictures(
    corpus: Contents[PictureClip], work: Path, out: Path, *, workers: int = 2, progress: Progress | None = None
) -> dict[str, Any]:
    """Write the listing of a corpus's clips, folds and excluded clips to `out`; returns counts and content digest.

    Args:
        corpus: as it is on disk.
        work: folder that survives a crash; pictures with complete lines there are not hashed again.
        out: folder that receives the listing.
        workers: processes, of which hashing uses four at most; the result does not depend on their number.
        progress: called with (pictures done, pictures).

    Raises:
        CorpusError: a picture cannot be read.
    """
    parts = [
        Part(tuple(corpus.clips[start : start + _PART]), work / f"{start // _PART:06d}.jsonl")
        for start in range(0, len(corpus.clips), _PART)
    ]
    total = sum(part.n_frames for part in parts)
    left = [part for part in parts if not part.is_finished]
    done = total - sum(part.n_frames for part in left)
    if progress is not None:
        progress(done, total)
    for part, _ in process_pool.completed(hash_part, left, workers=min(workers, _MOST), what="listing of pictures"):
        done += part.n_frames
        if progress is not None:
            progress(done, total)
    rows = _join(parts, out / CLIPS)
    folds = folds_as_written(corpus)
    about = {"folds": folds, "set_aside": [list(pair) for pair in corpus.excluded]}
    (out / LISTING).write_text(json.dumps(about, indent=1))
    return {
        "clips": len(rows),
        "frames": total,
        "set_aside": len(corpus.excluded),
        "folds": len(folds),
        "content_digest": digest_of([rows, folds]),
    }


def _join(parts: Sequence[Part], path: Path) -> list[list[str]]:
    """Join the parts' lines in one file; returns the part of each clip that later steps depend on."""
    rows: list[list[str]] = []
    with path.open("wb") as whole:
        for part in parts:
            with part.path.open("rb") as lines:
                for line in lines:
                    clip = ListedClip.from_line(line)
                    rows.append([clip.clip_id, clip.emotion, clip.sha256])
                    whole.write(line)
    return rows


def hash_part(part: Part) -> None:
    """Hash the pictures of some clips and write their lines, all or none."""
    lines = (_hash_clip(clip).to_line() + "\n" for clip in part.clips)
    write_whole(part.path, "".join(lines).encode())
    vouch(part.path.parent, part.path.stem, [part.path.name])


def _hash_clip(clip: PictureClip) -> ListedClip:
    folder = str(clip.folder)
    digests = [_hash_picture(f"{folder}/{name}") for name in clip.names]
    frames = tuple(zip(clip.names, digests, strict=True))
    return ListedClip(clip.clip_id, clip.emotion, digest_of(digests), folder, frames, clip.scene)


def _hash_picture(path: str) -> str:
    try:
        with open_plain(path) as file:  # as text: a Path for each of 900,000 costs more than the hash
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        raise CorpusError(
            f"{path} cannot be read: {error}. If the disk and its permissions are in order, copy or unpack that clip "
            "again, and run the same command again"
        ) from error
