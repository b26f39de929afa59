"""Step: list a corpus's files with their content hashes, so that later artefacts are named by content.

A listing's *fingerprint* (paths, sizes, times) shows cheaply whether it must be made again; its *content digest* (the
hashes) is the input of later steps, so that copying or touching a corpus repeats no work. A listing of face pictures,
which is large, belongs to `picture_listing`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.core import environment, file_locks, paths
from nrdfer.core.errors import CorpusError
from nrdfer.core.progress import Progress
from nrdfer.corpora.base import Contents, Corpus, PictureClip, VideoClip
from nrdfer.store import digest_of, file_sha256

LISTING = "listing.json"


def corpus_root(profile: Profile, corpus: Corpus) -> Path:
    """The folder of a corpus: the user's own, or a rendered one, which is rendered if it is not there.

    Raises:
        CorpusError: the profile needs the user's own copy, and no folder was given.
    """
    if (given := given_root(profile, corpus)) is not None:
        return given
    refuse_no_source(profile, corpus)
    return render_sample(profile) / corpus.rendered_as if corpus.rendered_as else render_alone(profile, corpus)


def refuse_no_source(profile: Profile, corpus: Corpus) -> None:
    """Check that a corpus has a folder, or will be rendered; nothing is read.

    Raises:
        CorpusError: it has neither; says what to set, and what can be run without it.
    """
    if given_root(profile, corpus) is not None:
        return
    if profile.corpora.rendered and (corpus.rendered_as is not None or corpus.rendered_alone):
        return
    title, own = corpus.title, hasattr(profile.corpora, f"{corpus.name}_root")
    setting = f"{corpus.name}_root" if own else f"corpora: {{roots: {{{corpus.name}: ...}}}}"
    raise CorpusError(
        f"profile {profile.name!r} needs your own copy of {title}, and no folder was given. Set {corpus.variable}="
        f"/path/to/{title} in the shell, or {setting} in the run config (resources: workbench: config)"
        + (f". {_OTHERWISE[corpus.name].format(title=title)}" if corpus.name in _OTHERWISE else "")
    )


#: What to do without one of the paper's two corpora.
_OTHERWISE = {
    name: "Without {title}, run the part that needs none of it: nrdfer run --only "
    f"{other}; to try everything on rendered clips: nrdfer reproduce --profile sample"
    for name, other in (("dfew", "afew"), ("afew", "dfew"))
}


def given_root(profile: Profile, corpus: Corpus) -> Path | None:
    """The folder of a user's own copy of a corpus; None if the profile is to render one."""
    own = hasattr(profile.corpora, f"{corpus.name}_root")
    given = profile.corpora.root_of(corpus.name) or (None if own else environment.text(corpus.variable))
    return Path(given).expanduser().absolute() if given else corpus.default_root


def render_sample(profile: Profile, progress: Progress | None = None, workers: int | None = None) -> Path:
    """Render the corpus of a profile (immediate if it exists); two concurrent processes render it once."""
    from nrdfer.corpora.synthetic.render import render_corpus

    settings = profile.corpora.render
    # named by every setting, defaults included, so that a later version with other defaults renders beside it
    out = paths.corpus_root(f"{profile.name}-{digest_of(dataclasses.asdict(settings))[:8]}")
    with file_locks.held(out.with_suffix(".lock")):
        return render_corpus(out, settings, progress=progress, workers=workers or profile.workers)


def render_alone(
    profile: Profile, corpus: Corpus, progress: Progress | None = None, workers: int | None = None
) -> Path:
    """Render a small copy of a further corpus (immediate if it exists); see `render_sample`."""
    from nrdfer.corpora.synthetic.further import render_copy

    settings = profile.corpora.render
    out = paths.corpus_root(f"{profile.name}-{corpus.name}-{digest_of(dataclasses.asdict(settings))[:8]}")
    with file_locks.held(out.with_suffix(".lock")):
        return render_copy(corpus.name, out, settings, progress, workers or profile.workers)


def fingerprint(root: Path, files: Iterable[Path]) -> str:
    """Digest of names, sizes and modification times: cheap, and sufficient to detect changes.

    `files` must be in an order that depends on their names only.
    """
    return _fingerprint(root, ((str(path.relative_to(root)), path.stat()) for path in files))


def listing_inputs(root: Path, contents: Contents[Any]) -> dict[str, str]:
    """Inputs of a listing: the fingerprint of all videos or pictures, and the labels."""
    if all(isinstance(clip, VideoClip) for clip in contents.clips):
        files = fingerprint(root, (clip.path for clip in contents.clips))
    else:
        files = fingerprint_pictures(root, contents)
    people = {clip.clip_id: person for clip in contents.clips if (person := getattr(clip, "person", ""))}
    if not contents.folds:
        parts = [(clip.clip_id, clip.emotion, clip.split) for clip in contents.clips if isinstance(clip, VideoClip)]
        return {"files": files, "labels": digest_of(_and_people(parts, people))}
    labels = {k: [fold.train, fold.test] for k, fold in contents.folds.items()}
    emotions = {clip.clip_id: clip.emotion for clip in contents.clips}
    return {"files": files, "labels": digest_of(_and_people([labels, emotions], people))}


def _and_people(digested: list[Any], people: Mapping[str, str]) -> list[Any]:
    """What a digest is made of, and who is filmed, where the corpus says so: shards say it, and divisions are by it."""
    return [digested, people] if people else digested


def fingerprint_pictures(root: Path, corpus: Contents[PictureClip]) -> str:
    """The fingerprint of every face picture of a corpus."""

    def rows() -> Iterator[tuple[str, os.stat_result]]:
        for clip in corpus.clips:
            folder = clip.folder.relative_to(root)
            for name in clip.names:
                # joined as text: building a Path for each takes longer than the call
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


def list_videos(
    corpus: Corpus, contents: Contents[VideoClip], out: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Write the listing of a corpus of videos into `out`; returns counts and the content digest."""
    videos = contents.clips
    digests = hash_files([video.path for video in videos], progress)
    rows = [
        {
            "clip_id": video.clip_id,
            "path": str(video.path),
            "emotion": video.emotion,
            "split": video.split,
            "sha256": digest,
            **{name: value for name in ("note", "person") if (value := getattr(video, name))},
        }
        for video, digest in zip(videos, digests, strict=True)
    ]
    content = [[r["clip_id"], r["emotion"], r["split"], r["sha256"]] for r in rows]
    if corpus.parts is not None:
        (out / LISTING).write_text(json.dumps({"clips": rows}, indent=1))
        splits = {part: sum(row["split"] == part for row in rows) for part in corpus.parts}
        return {"clips": len(rows), **splits, "content_digest": digest_of(_and_people(content, _people(rows)))}
    folds = folds_as_written(contents)
    about = {"clips": rows, "folds": folds, "set_aside": [list(pair) for pair in contents.excluded]}
    (out / LISTING).write_text(json.dumps(about, indent=1))
    counts = {"clips": len(rows), "set_aside": len(contents.excluded), "folds": len(folds)}
    return {**counts, "content_digest": digest_of(_and_people([content, folds], _people(rows)))}


def _people(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {row["clip_id"]: row["person"] for row in rows if row.get("person")}


def folds_as_written(contents: Contents[Any]) -> dict[str, dict[str, list[str]]]:
    """Folds in the form of a listing: number -> ``train`` and ``test`` -> clip ids."""
    return {str(k): {"train": list(f.train), "test": list(f.test)} for k, f in sorted(contents.folds.items())}


class VideoListing:
    """The listing that `list_videos` wrote into a folder; each row also has the corpus's name."""

    def __init__(self, corpus: Corpus, folder: Path) -> None:
        about: dict[str, Any] = json.loads((folder / LISTING).read_text())
        self.rows: list[dict[str, Any]] = [{"corpus": corpus.name, **row} for row in about["clips"]]
        self.folds: Mapping[str, Mapping[str, Sequence[str]]] = about.get("folds", {})
        self.excluded: list[tuple[str, str]] = [(clip_id, why) for clip_id, why in about.get("set_aside", [])]

    def emotions(self) -> dict[str, str]:
        """Clip id -> emotion of all clips."""
        return {row["clip_id"]: row["emotion"] for row in self.rows}

    def content_digest(self) -> str:
        """The digest that later steps depend on, as `list_videos` returned it, computed from the written rows."""
        content = [[r["clip_id"], r["emotion"], r["split"], r["sha256"]] for r in self.rows]
        return digest_of(_and_people([content, self.folds] if self.folds else content, _people(self.rows)))
