"""From videos to faces: detection and alignment, light enhancement, for every corpus that comes as videos.

Keep here: what these two steps depend on and do. Keep out: how work is cut into chunks (``chunked_assets.py``), shards
(``shards.py``).
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from assets import asset_groups
from assets.chunked_assets import clip_asset
from assets.metadata import quality, reasons_table
from assets.project_resource import Workbench
from nrdfer.core.progress import Progress
from nrdfer.corpora.base import Corpus
from nrdfer.store import Artifact


class Alignment:
    """Detection, tracking and alignment of a corpus's videos."""

    code_version = "2"

    def __init__(self, corpus: Corpus, workbench: Workbench, read: Sequence[Artifact]) -> None:
        from nrdfer.preprocessing.corpus_listing import VideoListing
        from nrdfer.preprocessing.video_crops import CropOptions
        from nrdfer.store import file_sha256
        from nrdfer.weights.locate import network_weights

        (videos,) = read
        profile = workbench.settings
        self.asset = corpus.asset("aligned_faces")
        self.rows = VideoListing(corpus, videos.path).rows
        weights, convention = network_weights("retinaface", profile.weights), profile.weights.retinaface_convention
        self.options = CropOptions(weights, profile.align, convention, device=profile.device)
        self.config: Mapping[str, Any] = {**profile.section("align"), "convention": convention}
        content = videos.manifest["counts"]["content_digest"]
        self.inputs: Mapping[str, str] = {"videos": content, "weights": file_sha256(weights)}
        self.facts: Mapping[str, Any] = {"weights_file": str(weights)}

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

        return align.align_corpus(self.rows, self.options, work, out)

    def metadata(self, published: Path) -> Mapping[str, Any]:
        """See `ClipWork`."""
        from nrdfer.preprocessing.clip_files import NOTES, SET_ASIDE, read_reasons

        return {
            "clips_set_aside": reasons_table(read_reasons(published / SET_ASIDE)),
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
                "One person's face from every video: RetinaFace, tracking of the target, 112x112 crops aligned on five "
                "landmarks.",
                f"`{videos}` and the detector's `weights`. Clips are worked on in chunks, each a step that is retried "
                "alone.",
                "`frames_with_face` of `frames`; `clips_set_aside` and `clips_with_notes` with the reasons.",
            ),
        ),
        clip_asset(
            corpus.asset("enhanced_faces"),
            {"aligned_faces": aligned, "videos": videos},
            functools.partial(Enhancement, corpus),
            group=group,
            kinds={"onnx"},
            description=asset_groups.description(
                "The aligned faces, brightened by EnlightenGAN: crops, whole frames, or nothing at all, as the "
                "profile's `enhance` says.",
                f"`{aligned}`, the videos, and the enhancer's `weights`.",
                "`quality`, the corpus at a glance; `quality_page`, every clip of it with its contact sheet; "
                "`luma_before` and `luma_after`.",
            ),
        ),
    ]
