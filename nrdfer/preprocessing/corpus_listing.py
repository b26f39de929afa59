"""Step: list a corpus's files with their content hashes, so that everything later is named by content.

A listing's *fingerprint* (paths, sizes, times) says cheaply whether it must be made again; its *content digest*
(the hashes) is what later steps depend on, so that copying or touching a corpus repeats no work. DFEW's listing, which
is large, is `dfew_listing`'s business.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.core import file_locks, paths
from nrdfer.core.errors import CorpusError
from nrdfer.core.progress import Progress
from nrdfer.corpora.afew import find_videos
from nrdfer.corpora.dfew import DfewCorpus
from nrdfer.store import digest_of, file_sha256

LISTING = "listing.json"


def afew_root(profile: Profile) -> Path:
    """The AFEW folder of a profile; renders the sample corpus if the profile asks for it and it is not there."""
    return _root(profile, "AFEW", profile.corpora.afew_root, "afew_root", "NRDFER_AFEW_ROOT")


def dfew_root(profile: Profile) -> Path:
    """The DFEW folder of a profile; renders the sample corpus if the profile asks for it and it is not there."""
    return _root(profile, "DFEW", profile.corpora.dfew_root, "dfew_root", "NRDFER_DFEW_ROOT")


def render_sample(profile: Profile, progress: Progress | None = None, workers: int | None = None) -> Path:
    """Render the corpus of a profile (at once if it is there); two processes that ask render it once."""
    from nrdfer.corpora.synthetic.render import render_corpus

    settings = profile.corpora.render
    # named by every setting, defaults included, so that a later version with other defaults renders beside it
    out = paths.corpus_root(f"{profile.name}-{digest_of(dataclasses.asdict(settings))[:8]}")
    with file_locks.held(out.with_suffix(".lock")):
        return render_corpus(out, settings, progress=progress, workers=workers or profile.workers)


def _root(profile: Profile, corpus: str, given: str | None, setting: str, variable: str) -> Path:
    if given:
        return Path(given).expanduser().absolute()
    if profile.corpora.rendered:
        return render_sample(profile) / corpus
    raise CorpusError(
        f"profile {profile.name!r} needs your own copy of {corpus}, and no folder was given. Set {variable}=/path/to/"
        f"{corpus} in the shell, or {setting} in the run config (resources: workbench: config). Without a licence for "
        f"{corpus}, use the profile 'sample', which renders its own corpus."
    )


def fingerprint(root: Path, files: Iterable[Path]) -> str:
    """Digest of names, sizes and modification times: cheap, and enough to know that nothing was touched.

    `files` must come in an order that their names decide.
    """
    return _fingerprint(root, ((str(path.relative_to(root)), path.stat()) for path in files))


def fingerprint_dfew(root: Path, corpus: DfewCorpus) -> str:
    """The fingerprint of every face picture of DFEW."""

    def rows() -> Iterator[tuple[str, os.stat_result]]:
        for clip in corpus.clips:
            folder = clip.folder.relative_to(root)
            for name in clip.names:
                # joined as text: a Path each would take longer than asking the disk
                yield f"{folder}/{name}", os.stat(f"{clip.folder}/{name}")  # noqa: PTH116

    return _fingerprint(root, rows())


def _fingerprint(root: Path, rows: Iterable[tuple[str, os.stat_result]]) -> str:
    digest = hashlib.sha256(os.fsencode(root))
    for name, stat in rows:
        digest.update(b"\0%s\0%d\0%d" % (os.fsencode(name), stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()


def hash_files(files: list[Path], progress: Progress | None = None) -> list[str]:
    """sha256 of every file, in order."""
    digests: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        for done, digest in enumerate(pool.map(file_sha256, files), start=1):
            digests.append(digest)
            if progress is not None:
                progress(done, len(files))
    return digests


def list_afew(root: Path, out: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Write the listing of AFEW's videos into `out`; returns counts and the content digest."""
    videos = find_videos(root)
    digests = hash_files([video.path for video in videos], progress)
    rows = [
        {
            "clip_id": video.clip_id,
            "path": str(video.path),
            "emotion": video.emotion,
            "split": video.split,
            "sha256": digest,
            **({"note": video.note} if video.note else {}),
        }
        for video, digest in zip(videos, digests, strict=True)
    ]
    content = digest_of([[r["clip_id"], r["emotion"], r["split"], r["sha256"]] for r in rows])
    (out / LISTING).write_text(json.dumps({"clips": rows}, indent=1))
    splits = {split: sum(row["split"] == split for row in rows) for split in ("train", "val")}
    return {"clips": len(rows), **splits, "content_digest": content}


def read_listing(folder: Path) -> dict[str, Any]:
    """The listing that `list_afew` wrote."""
    listing: dict[str, Any] = json.loads((folder / LISTING).read_text())
    return listing


__all__ = [
    "afew_root", "dfew_root", "fingerprint", "fingerprint_dfew", "hash_files", "list_afew", "read_listing",
    "render_sample",
]  # fmt: skip
