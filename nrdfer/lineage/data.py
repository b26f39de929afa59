"""The data's part of a chain: from a checkpoint's artefact to shards, faces, listings, pretrained weights and sources.

Everything is found by digest in the store. What MLflow and Dagster record about it is not read here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import nrdfer
from nrdfer.core.errors import NrdferError
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.registry import corpus_of, find_corpus
from nrdfer.lineage.hashes import Hashes
from nrdfer.lineage.links import Link
from nrdfer.preprocessing.corpus_listing import VideoListing
from nrdfer.preprocessing.folds import read_folds, read_split
from nrdfer.preprocessing.picture_listing import PictureListing
from nrdfer.runtime.code_version import code_version, has_commit
from nrdfer.store import MANIFEST, Artifact, Store, digest_of, read_manifest
from nrdfer.tracking.relocation import here
from nrdfer.training.key import FROM_SCRATCH

Found = Generator[Link, None, Mapping[str, Any] | None]
_SAMPLES = Path(nrdfer.__file__).parent / "weights/sample"
_KINDS = {".tar": "shard", ".safetensors": "weights"}


class DataWalk:
    """Follows artefacts of one store; artefacts that two versions share are checked once."""

    def __init__(self, store: Store, hashes: Hashes) -> None:
        self._store = store
        self._hashes = hashes
        self._walked: dict[tuple[str, str], list[Link]] = {}
        self._found: dict[str, list[Artifact]] = {}
        self._read: dict[tuple[str, str], list[tuple[str, list[str], list[str]]]] = {}

    def checkpoint(self, asset: str, digest: str) -> Iterator[Link]:
        """Links of a checkpoint, its code, its clips, their shards, and its initial weights."""
        yield from self._once(asset, digest, self._own)  # its data are remembered apart, not once a checkpoint
        try:
            inputs = read_manifest(self._store.local_path(asset, digest))["inputs"]
            shards, initial = inputs["shards"], inputs["initial"]
        except (NrdferError, ValueError, KeyError):
            return  # reported above
        yield from self._once(f"{asset.split('/')[0]}/shards", shards, self._shards)
        yield self._clip_list(asset, inputs)
        if initial == FROM_SCRATCH:
            yield Link("initial weights", "random, by the recipe's seed", digest=FROM_SCRATCH)
        else:
            corpus = _corpus(asset)
            before = corpus.initial or corpus.splits[0]
            yield from self.checkpoint(corpus_of(before).asset("checkpoint", before), initial)

    def trained_on(self, asset: str, digest: str) -> dict[str, list[str]]:
        """``train`` and ``test`` -> clip ids of a checkpoint; empty if the store does not have the lists."""
        try:
            inputs = read_manifest(self._store.local_path(asset, digest))["inputs"]
            for _, train, test in self._lists(asset.split("/")[-2], inputs["shards"]):
                if digest_of([sorted(train), sorted(test)]) == inputs["clips"]:
                    return {"train": train, "test": test}
        except (NrdferError, OSError, ValueError, KeyError):
            pass  # the link "clip list" says what is wrong
        return {}

    def artifact(self, asset: str, digest: str) -> Found:
        """An artefact's files; the generator's value is its manifest, None if that cannot be read.

        An artefact is the digest of what it was made of, so its name must follow from its own manifest.
        """
        name = f"{asset} {digest[:12]}"
        try:
            folder = self._store.local_path(asset, digest)
        except NrdferError as error:
            yield Link("artefact", name, digest=digest, problem=str(error))
            return None
        try:
            manifest = read_manifest(folder)
            made_of = self._store.digest(
                manifest["asset"], manifest["code_version"], manifest["config"], manifest["inputs"]
            )
        except (ValueError, KeyError, TypeError) as error:
            gone = "is not in the store" if not folder.is_dir() else f"its {MANIFEST} cannot be read: {error}"
            yield Link("artefact", name, str(folder), digest, problem=gone)
            return None
        wrong = "" if made_of == digest else f"its {MANIFEST} was changed: it describes {made_of[:12]}"
        yield Link("artefact", name, str(folder), digest, problem=wrong)
        for file, entry in manifest["files"].items():
            path = folder / file
            kind = _KINDS.get(path.suffix, "file")
            problem = self._hashes.problem(path, entry["sha256"], entry["bytes"])
            yield Link(kind, f"{asset}: {file}", str(path), entry["sha256"], problem)
        return manifest

    def _once(self, asset: str, digest: str, walk: Any) -> Iterator[Link]:
        key = asset, digest
        if key not in self._walked:
            self._walked[key] = list(walk(asset, digest))
        yield from self._walked[key]

    def _own(self, asset: str, digest: str) -> Iterator[Link]:
        manifest = yield from self.artifact(asset, digest)
        if manifest is not None:
            yield self.code(asset, manifest)

    def code(self, asset: str, manifest: Mapping[str, Any]) -> Link:
        """The code that made an artefact."""
        made = manifest.get("provenance", {}).get("code")
        name = f"code of {asset}"
        if not isinstance(made, Mapping) or not made.get("sources"):
            return Link("code version", name, problem="not recorded; run the step again with this version")
        commit, now = made.get("commit", ""), code_version()
        known = has_commit(commit) if commit else None
        notes = [] if made["sources"] == now.sources else ["other sources than those of this process"]
        notes += ["with changes that were not committed"] if made.get("modified") else []
        where = f"commit {commit}" if commit else f"version {made.get('version')}, no checkout"
        problem = "this checkout has no such commit" if known is False else ""
        return Link("code version", name, where, made["sources"], problem, ", ".join(notes))

    def _clip_list(self, asset: str, inputs: Mapping[str, str]) -> Link:
        """The exact lists of clips that a checkpoint was trained and tested on."""
        split, shards = asset.split("/")[-2], inputs["shards"]
        name = f"clip list of {split}"
        try:
            for where, train, test in self._lists(split, shards):
                if digest_of([sorted(train), sorted(test)]) == inputs["clips"]:
                    sizes = f"{len(train)} clips to learn from, {len(test)} to test on"
                    return Link("clip list", name, where, inputs["clips"], note=sizes)
        except (NrdferError, OSError, ValueError, KeyError) as error:
            return Link("clip list", name, digest=inputs["clips"], problem=f"cannot be read: {error}")
        return Link(
            "clip list", name, digest=inputs["clips"], problem="no list of clips in the store is the trained one"
        )

    def _all(self, asset: str) -> list[Artifact]:
        """Every artefact of an asset; the store is searched once for all checkpoints."""
        if asset not in self._found:
            self._found[asset] = self._store.find(asset)
        return self._found[asset]

    def _lists(self, split: str, shards: str) -> list[tuple[str, list[str], list[str]]]:
        """Locations of a split's clip lists, for training and for test; read once."""
        key = split, shards
        if key not in self._read:
            self._read[key] = list(self._read_lists(split, shards))
        return self._read[key]

    def _read_lists(self, split: str, shards: str) -> Iterator[tuple[str, list[str], list[str]]]:
        corpus = corpus_of(split)
        if corpus.parts is not None:
            folder = self._store.local_path(corpus.asset("shards"), shards)
            found = read_split(corpus, split, folder)
            yield str(folder), list(found.train_ids), list(found.test_ids)
            return
        for artifact in self._all(corpus.asset("folds")):
            if artifact.manifest["inputs"].get("shards") == shards:
                fold = read_folds(artifact.path).get(str(corpus.fold(split)))
                if fold is not None:
                    yield str(artifact.path), fold["train"], fold["test"]

    def _shards(self, asset: str, digest: str) -> Iterator[Link]:
        manifest = yield from self.artifact(asset, digest)
        if manifest is None:
            return
        corpus = _corpus(asset)
        if corpus.videos:
            enhanced = corpus.asset("enhanced_faces")
            yield from self._once(enhanced, manifest["inputs"]["enhanced_faces"], self._enhanced)
        else:
            yield from self._once(corpus.asset(corpus.listing), manifest["inputs"]["clips"], self._pictures)

    def _enhanced(self, asset: str, digest: str) -> Iterator[Link]:
        manifest = yield from self.artifact(asset, digest)
        if manifest is not None:
            yield from self._pretrained("EnlightenGAN", manifest)
            aligned = _corpus(asset).asset("aligned_faces")
            yield from self._once(aligned, manifest["inputs"]["aligned_faces"], self._aligned)

    def _aligned(self, asset: str, digest: str) -> Iterator[Link]:
        manifest = yield from self.artifact(asset, digest)
        if manifest is not None:
            yield from self._pretrained("RetinaFace", manifest)
            videos = _corpus(asset).asset("videos")
            yield from self._once(videos, manifest["inputs"]["videos"], self._videos)

    def _pretrained(self, network: str, manifest: Mapping[str, Any]) -> Iterator[Link]:
        digest, place = manifest["inputs"]["weights"], manifest["counts"].get("weights_file", "")
        if digest == "none":
            return
        place = str(self._now(place)) if place else place
        problem = self._hashes.problem(place, digest) if place else "the file's location was not recorded"
        yield Link("pretrained weights", network, place, digest, problem)

    def _listing(self, asset: str, content: str) -> Artifact | None:
        """The newest listing with that content: a corpus that was moved is listed again, with the same content."""
        found = [a for a in self._all(asset) if a.manifest["counts"].get("content_digest") == content]
        return found[-1] if found else None

    def _videos(self, asset: str, content: str) -> Iterator[Link]:
        listing = self._listing(asset, content)
        if listing is None:
            yield Link("listing", asset, digest=content, problem="no listing of that content is in the store")
            return
        yield from self.artifact(asset, listing.digest)
        try:
            videos = VideoListing(_corpus(asset), listing.path)
            listed = videos.content_digest()
        except (OSError, ValueError, KeyError) as error:
            yield Link("listing", asset, str(listing.path), content, problem=f"cannot be read: {error}")
            return
        yield Link("listing", asset, str(listing.path), content, problem=_differs(listed, content))
        for row in videos.rows:
            place = str(self._now(row["path"]))
            problem = self._hashes.problem(place, row["sha256"])
            yield Link("source video", row["clip_id"], place, row["sha256"], problem)

    def _pictures(self, asset: str, content: str) -> Iterator[Link]:
        listing = self._listing(asset, content)
        if listing is None:
            yield Link("listing", asset, digest=content, problem="no listing of that content is in the store")
            return
        yield from self.artifact(asset, listing.digest)
        rows: list[list[str]] = []
        try:
            pictures = PictureListing(listing.path)
            for clip in pictures.clips():
                rows.append([clip.clip_id, clip.emotion, clip.sha256])
                folder = self._now(clip.folder)
                wrong = [
                    f"{name} {problem}"
                    for name, digest in clip.frames
                    if (problem := self._hashes.problem(f"{folder}/{name}", digest))
                ]
                if digest_of([digest for _, digest in clip.frames]) != clip.sha256:
                    wrong.append("the listing contradicts itself")
                more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
                problem = f"{wrong[0]}{more}" if wrong else ""
                yield Link("source clip", clip.clip_id, str(folder), clip.sha256, problem)
            listed = digest_of([rows, pictures.folds])
        except (OSError, ValueError, KeyError) as error:
            yield Link("listing", asset, str(listing.path), content, problem=f"cannot be read: {error}")
            return
        yield Link("listing", asset, str(listing.path), content, problem=_differs(listed, content))

    def _now(self, recorded: str) -> Path:
        """Present path of a recorded file: the project's folder, or the package with sample weights, may have moved."""
        place = here(recorded, self._store.root.parent)
        if not place.exists() and place.parent.name == _SAMPLES.name and (_SAMPLES / place.name).is_file():
            return _SAMPLES / place.name
        return place


def _corpus(asset: str) -> Corpus:
    return find_corpus(asset.split("/")[0])


def _differs(found: str, expected: str) -> str:
    return "" if found == expected else f"its content is {found[:12]}, recorded {expected[:12]}"
