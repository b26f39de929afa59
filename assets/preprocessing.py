"""Preprocessing of a corpus: aligned and enhanced faces of its videos, shards, and folds as lists of clip ids.

Keep here: what these steps depend on and do. Keep out: how work is cut into chunks (``chunked_assets.py``), listings
(``listings.py``), and what is trained on the shards (``training.py``).
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from assets import asset_groups
from assets.chunked_assets import CORES, EARLY, clip_asset
from assets.metadata import quality, reasons_table
from assets.pictures import contact_sheet
from assets.project_resource import Workbench
from assets.step_results import materialize, progress_logger, step
from nrdfer.core.progress import Progress
from nrdfer.corpora.base import Corpus
from nrdfer.store import Artifact


class Alignment:
    """Detection, tracking and alignment of a corpus's videos."""

    code_version = "2"

    def __init__(self, corpus: Corpus, workbench: Workbench, read: Sequence[Artifact]) -> None:
        from nrdfer.config.alignment import RETINAFACE
        from nrdfer.preprocessing.corpus_listing import VideoListing
        from nrdfer.preprocessing.spec import detector_code
        from nrdfer.preprocessing.video_crops import CropOptions
        from nrdfer.store import digest_of, file_sha256
        from nrdfer.weights.locate import network_weights

        (videos,) = read
        profile = workbench.settings
        self.asset = corpus.asset("aligned_faces")
        listing = VideoListing(corpus, videos.path)
        self.rows, self.missing = listing.rows, listing.excluded
        content = videos.manifest["counts"]["content_digest"]
        self.inputs: Mapping[str, str]
        self.facts: Mapping[str, Any]
        if profile.align.detector == RETINAFACE:
            weights, convention = network_weights("retinaface", profile.weights), profile.weights.retinaface_convention
            self.options = CropOptions(weights, profile.align, convention, device=profile.device)
            self.inputs = {"videos": content, "weights": file_sha256(weights)}
            self.facts = {"weights_file": str(weights)}
        else:
            convention, code = None, detector_code(profile.align.detector)
            self.options = CropOptions(None, profile.align, device=profile.device)
            self.inputs = {"videos": content, "detector": digest_of(code)}
            self.facts = {"detector": f"{profile.align.detector} of {code['package']} {code['version']}"}
        self.config: Mapping[str, Any] = {**profile.section("align"), "convention": convention}

    def pending(self, work: Path) -> list[str]:
        """See `ClipWork`."""
        from nrdfer.preprocessing import align

        return [row["clip_id"] for row in align.unfinished(self.rows, work, "sizes")]

    def work_on(self, clip_ids: Sequence[str], work: Path, progress: Progress) -> None:
        """See `ClipWork`."""
        from nrdfer.preprocessing import align

        wanted = set(clip_ids)
        align.align_clips([row for row in self.rows if row["clip_id"] in wanted], self.options, work, progress)

    def publish(self, work: Path, out: Path) -> Mapping[str, Any]:
        """See `ClipWork`."""
        from nrdfer.preprocessing import align

        return align.align_corpus(self.rows, self.options, work, out, missing=self.missing)

    def metadata(self, published: Path) -> Mapping[str, Any]:
        """See `ClipWork`."""
        from nrdfer.preprocessing.clip_files import EXCLUDED_CSV, NOTES, read_reasons

        return {
            **contact_sheet(published),
            "clips_set_aside": reasons_table(read_reasons(published / EXCLUDED_CSV)),
            "clips_with_notes": reasons_table(read_reasons(published / NOTES)),
        }


class Enhancement:
    """EnlightenGAN on a corpus's aligned faces, or on the frames that they are cropped from."""

    code_version = "3"

    def __init__(self, corpus: Corpus, workbench: Workbench, read: Sequence[Artifact]) -> None:
        from nrdfer.preprocessing.corpus_listing import VideoListing
        from nrdfer.preprocessing.enhance import EnhanceOptions
        from nrdfer.store import file_sha256
        from nrdfer.weights.locate import network_weights

        aligned, videos = read
        profile = workbench.settings
        self.asset = corpus.asset("enhanced_faces")
        self.aligned = aligned.path
        places = {row["clip_id"]: Path(row["path"]) for row in VideoListing(corpus, videos.path).rows}
        weights = None if profile.enhance == "none" else network_weights("enlightengan", profile.weights)
        self.options = EnhanceOptions(profile.enhance, weights, profile.device, places, profile.align)
        self.config: Mapping[str, Any] = {"enhance": profile.enhance}
        digest = file_sha256(weights) if weights else "none"
        self.inputs: Mapping[str, str] = {"aligned_faces": aligned.digest, "weights": digest}
        self.facts: Mapping[str, Any] = {"weights_file": str(weights)} if weights else {}

    def pending(self, work: Path) -> list[str]:
        """See `ClipWork`."""
        from nrdfer.preprocessing.clip_files import is_written, list_clips

        return [clip_id for clip_id in list_clips(self.aligned) if not is_written(work, clip_id, "sizes")]

    def work_on(self, clip_ids: Sequence[str], work: Path, progress: Progress) -> None:
        """See `ClipWork`."""
        from nrdfer.preprocessing.enhance import enhance_clips

        enhance_clips(self.aligned, clip_ids, self.options, work, progress)

    def publish(self, work: Path, out: Path) -> Mapping[str, Any]:
        """See `ClipWork`."""
        from nrdfer.preprocessing.enhance import enhance_corpus

        return enhance_corpus(self.aligned, self.options, work, out)

    def metadata(self, published: Path) -> Mapping[str, Any]:
        """See `ClipWork`."""
        return quality(published)


def face_assets(corpus: Corpus) -> list[dg.AssetsDefinition]:
    """Aligned and enhanced faces of a corpus of videos."""
    videos, aligned = corpus.asset(corpus.listing), corpus.asset("aligned_faces")
    group = asset_groups.group_of(corpus, asset_groups.FACES)
    return [
        clip_asset(
            aligned,
            {"videos": videos},
            functools.partial(Alignment, corpus),
            group=group,
            kinds={"onnx", "opencv"},
            description=asset_groups.description(
                "Crops of one person's face from every video, found by RetinaFace, tracked, aligned on five landmarks.",
                f"`{videos}` and the detector's `weights`. Clips are worked on in chunks, each a step that is retried "
                "alone.",
                "`contact_sheet` of the clip that shows the target most rarely; `frames_with_face` of `frames`; "
                "`clips_set_aside` and `clips_with_notes` with the reasons.",
            ),
        ),
        clip_asset(
            corpus.asset("enhanced_faces"),
            {"aligned_faces": aligned, "videos": videos},
            functools.partial(Enhancement, corpus),
            group=group,
            kinds={"onnx"},
            description=asset_groups.description(
                "Aligned faces after brightening by EnlightenGAN, each with its contact sheet.",
                f"`{aligned}`, the videos, the enhancer's `weights`, and the profile's `enhance`: crops, whole frames, "
                "or nothing is brightened.",
                "`quality`, the corpus at a glance; `quality_page`, every clip of it with its contact sheet; "
                "`luma_before` and `luma_after`.",
            ),
        ),
    ]


def shards_asset(corpus: Corpus) -> dg.AssetsDefinition:
    """The shards of a corpus: of its aligned and enhanced faces, or of its face pictures."""
    source = corpus.asset("enhanced_faces" if corpus.videos else corpus.listing)
    argument = source.split("/")[1]
    what = f"{corpus.title}'s faces" if corpus.videos else f"All of {corpus.title}'s clips"

    @dg.asset(
        key=corpus.asset("shards").split("/"),
        ins={argument: dg.AssetIn(key=source.split("/"))},
        group_name=asset_groups.group_of(corpus, asset_groups.SHARDS),
        kinds={"webdataset"},
        op_tags={**EARLY, **CORES} if corpus.videos else CORES,
        description=asset_groups.description(
            f"{what} as WebDataset shards with an index, written once for all trainings, byte-identical every time.",
            f"`{source}` and the profile's `shards` (clips per shard, size and quality of the pictures).",
            "`clips`, `emotions` and `set_aside`; the checks show whether anything was lost. `nrdfer shards show CLIP` "
            "shows one clip.",
        ),
    )
    def shards(
        context: dg.AssetExecutionContext, workbench: Workbench, **read: Artifact
    ) -> dg.MaterializeResult[Artifact]:
        with step(context):
            import dataclasses

            from nrdfer.preprocessing import shards as shard
            from nrdfer.preprocessing.picture_listing import PictureListing

            settings, made = workbench.settings, read[argument]
            progress = progress_logger(context, "clips in shards")
            artifact = workbench.store.build_resumable(
                corpus.asset("shards"),
                code_version="1" if corpus.videos else "2",
                config=dataclasses.asdict(settings.shards),
                inputs={argument: made.digest if corpus.videos else made.manifest["counts"]["content_digest"]},
                build=lambda work, out: (
                    shard.shard_aligned(corpus, made.path, work, out, settings.shards, progress)
                    if corpus.videos
                    else shard.shard_pictures(
                        corpus,
                        PictureListing(made.path),
                        work,
                        out,
                        settings.shards,
                        workers=settings.workers,
                        progress=progress,
                    )
                ),
            )
            return materialize(context, artifact, **artifact.manifest["counts"])

    return shards


def folds_asset(corpus: Corpus) -> dg.AssetsDefinition:
    """The folds of a corpus."""
    listing, shards_key = corpus.asset(corpus.listing), corpus.asset("shards")

    @dg.asset(
        key=corpus.asset("folds").split("/"),
        ins={"listing": dg.AssetIn(key=listing.split("/")), "shards": dg.AssetIn(key=shards_key.split("/"))},
        group_name=asset_groups.group_of(corpus, asset_groups.SHARDS),
        kinds={"json"},
        description=asset_groups.description(
            f"{corpus.title}'s folds as lists of clip ids for training and test, without a copy of any pixel.",
            f"how {corpus.title} is divided, as far as its clips are in `{shards_key}`.",
            "`quality`, the corpus at a glance; `quality_page`, every clip of it; `clips_set_aside`; the check "
            "`folds_are_disjoint`, that no clip is in both the training and the test set of a fold.",
        ),
    )
    def folds(
        context: dg.AssetExecutionContext, workbench: Workbench, listing: Artifact, shards: Artifact
    ) -> dg.MaterializeResult[Artifact]:
        with step(context):
            from nrdfer.preprocessing.clip_files import EXCLUDED_CSV, read_reasons
            from nrdfer.preprocessing.folds import write_folds
            from nrdfer.preprocessing.picture_listing import open_listing

            artifact = workbench.store.build(
                corpus.asset("folds"),
                code_version="2",
                config={},
                inputs={corpus.listing: listing.manifest["counts"]["content_digest"], "shards": shards.digest},
                build=lambda out: write_folds(
                    corpus,
                    open_listing(corpus, listing.path).folds,
                    shards.path,
                    out,
                    progress_logger(context, "clips read"),
                ),
            )
            metadata = {
                **artifact.manifest["counts"],
                **quality(artifact.path),
                "clips_set_aside": reasons_table(read_reasons(shards.path / EXCLUDED_CSV)),
            }
            return materialize(context, artifact, **metadata)

    return folds
