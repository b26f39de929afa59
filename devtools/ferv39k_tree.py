"""A tree of FERV39k's shape and size: places, labels and lengths of real lists, a link to a rendered face per frame.

Keep out: the pool of faces and the links (``dfew_tree``), building from it (``bench/full_size``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devtools.dfew_tree import SPREAD, link_clip, render_pool
from nrdfer.core.progress import Progress
from nrdfer.corpora.ferv39k import CLIPS, SETUP, claims
from nrdfer.corpora.lists import read_list

_LEAST = 14  # clips: every emotion in both parts


@dataclass(frozen=True)
class Clip:
    """One clip to make."""

    place: str  # <Scene>/<Emotion>/<id>
    part: str  # train or test
    frames: int


def make_tree(out: Path, labels: Path, clips: int, pictures: int, seed: int, progress: Progress) -> dict[str, Any]:
    """Make the tree in `out` (which must not exist) from the lists below `labels`; returns what was made."""
    if out.exists():
        raise SystemExit(f"{out} exists; name a folder that does not")
    corpus = thin_out(real_clips(labels), clips)
    pool = render_pool(out / "pool", pictures, seed)
    write_labels(out / SETUP, corpus)
    for done, clip in enumerate(corpus, start=1):
        link_clip(out / CLIPS / clip.place, pool, (done - 1) * SPREAD, clip.frames)
        if done % 1000 == 0 or done == len(corpus):
            progress(done, len(corpus))
    return {
        "tree": str(out),
        "clips": len(corpus),
        "frames": sum(clip.frames for clip in corpus),
        "lengths": f"lists below {labels}",
        "pool": {"pictures": len(pool), "bytes": sum(path.stat().st_size for path in pool)},
    }


def real_clips(labels: Path) -> list[Clip]:
    """Every clip of the lists below `labels`."""
    _, lists = claims(labels)
    found = [
        Clip(f"{line.above}/{line.folder}/{line.name}", part, line.frames)
        for (_, part), path in sorted(lists)
        for line in read_list(path)
    ]
    if not found:
        raise SystemExit(f"{labels} holds neither FERV39K_train.txt nor FERV39K_test.txt")
    return found


def thin_out(corpus: list[Clip], clips: int) -> list[Clip]:
    """`clips` of them, evenly over parts and emotions."""
    if not _LEAST <= clips <= len(corpus):
        raise SystemExit(f"{clips} clips: between {_LEAST} (each emotion in each part) and {len(corpus)} can be made")
    each: dict[tuple[str, str], list[Clip]] = {}
    for clip in corpus:
        each.setdefault((clip.part, clip.place.split("/")[1]), []).append(clip)
    # the first of each part and emotion, then all others evenly
    chosen = [members[0] for members in each.values()]
    rest = [clip for members in each.values() for clip in members[1:]]
    wanted = clips - len(chosen)
    chosen += [rest[i * len(rest) // max(wanted, 1)] for i in range(wanted)]
    return sorted(chosen, key=lambda clip: clip.place)


def write_labels(folder: Path, corpus: list[Clip]) -> None:
    """The two label files as FERV39k's authors distribute them."""
    folder.mkdir(parents=True)
    for part in ("train", "test"):
        lines = [f"{clip.place} {clip.place.split('/')[1]}" for clip in corpus if clip.part == part]
        (folder / f"{part}_All.csv").write_text("\n".join(lines) + "\n")
