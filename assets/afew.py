"""AFEW from video to shards: detection and alignment, light enhancement, WebDataset shards.

Keep here: the preprocessing assets of AFEW. Keep out: how work is cut into chunks (``chunked_assets.py``), AFEW's
training and evaluation (``training.py``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from assets import asset_groups
from assets.chunked_assets import EARLY, clip_asset
from assets.metadata import quality, reasons_table
from assets.project_resource import Workbench
from assets.step_results import materialize, progress_logger, step
from nrdfer.core.progress import Progress
from nrdfer.store import Artifact


class Alignment:
    """Detection, tracking and alignment of AFEW's videos."""

    asset = "afew/aligned_faces"
    code_version = "2"

    def __init__(self, workbench: Workbench, read: Sequence[Artifact]) -> None:
        from nrdfer.preprocessing import corpus_listing
        from nrdfer.preprocessing.video_crops import CropOptions
        from nrdfer.store import file_sha256
        from nrdfer.weights.locate import network_weights

        (videos,) = read
        profile = workbench.settings
        self.rows = corpus_listing.read_listing(videos.path)["clips"]
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
    """EnlightenGAN on AFEW's aligned faces, or on the frames that they are cropped from."""

    asset = "afew/enhanced_faces"
    code_version = "3"

    def __init__(self, workbench: Workbench, read: Sequence[Artifact]) -> None:
        from nrdfer.preprocessing import corpus_listing
        from nrdfer.preprocessing.enhance import EnhanceOptions
        from nrdfer.store import file_sha256
        from nrdfer.weights.locate import network_weights

        aligned, videos = read
        profile = workbench.settings
        self.aligned = aligned.path
        places = {row["clip_id"]: Path(row["path"]) for row in corpus_listing.read_listing(videos.path)["clips"]}
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


afew_aligned_faces = clip_asset(
    Alignment.asset,
    {"videos": "afew/videos"},
    Alignment,
    group=asset_groups.FACES,
    kinds={"onnx", "opencv"},
    description=asset_groups.description(
        "One person's face from every video: RetinaFace, tracking of the target, 112x112 crops aligned on five "
        "landmarks.",
        "`afew/videos` and the detector's `weights`. Clips are worked on in chunks, each a step that is retried alone.",
        "`frames_with_face` of `frames`; `clips_set_aside` and `clips_with_notes` with the reasons.",
    ),
)

afew_enhanced_faces = clip_asset(
    Enhancement.asset,
    {"aligned_faces": "afew/aligned_faces", "videos": "afew/videos"},
    Enhancement,
    group=asset_groups.FACES,
    kinds={"onnx"},
    description=asset_groups.description(
        "The aligned faces, brightened by EnlightenGAN: crops, whole frames, or nothing at all, as the profile's "
        "`enhance` says.",
        "`afew/aligned_faces`, the videos, and the enhancer's `weights`.",
        "`quality`, the corpus at a glance; `quality_page`, every clip of it with its contact sheet; `luma_before` and "
        "`luma_after`.",
    ),
)


@dg.asset(
    key=["afew", "shards"],
    ins={"enhanced_faces": dg.AssetIn(key=["afew", "enhanced_faces"])},
    group_name=asset_groups.SHARDS.name,
    kinds={"webdataset"},
    op_tags=EARLY,
    description=asset_groups.description(
        "AFEW's faces as WebDataset shards with an index: what training reads. Byte-identical whoever builds them.",
        "`afew/enhanced_faces` and the profile's `shards` (clips a shard, size and quality of the pictures).",
        "`clips` and `emotions`; the checks tell whether anything was lost. `nrdfer shards show CLIP` shows one clip.",
    ),
)
def afew_shards(
    context: dg.AssetExecutionContext, workbench: Workbench, enhanced_faces: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Write the shards."""
    with step(context):
        import dataclasses

        from nrdfer.preprocessing import shards as shard

        config = workbench.settings.shards
        artifact = workbench.store.build_resumable(
            "afew/shards",
            code_version="1",
            config=dataclasses.asdict(config),
            inputs={"enhanced_faces": enhanced_faces.digest},
            build=lambda work, out: shard.shard_aligned(
                enhanced_faces.path, work, out, config, progress_logger(context, "clips in shards")
            ),
        )
        return materialize(context, artifact, **artifact.manifest["counts"])
