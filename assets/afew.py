"""AFEW from video to shards: detection and alignment, light enhancement, WebDataset shards.

Keep here: the preprocessing assets of AFEW. Keep out: AFEW's training and evaluation (``training.py``).
"""

import dagster as dg

from assets.step import materialize, progress_logger, step
from assets.workbench import Workbench
from nrdfer.store import Artifact


@dg.asset(
    key=["afew", "aligned_faces"],
    ins={"videos": dg.AssetIn(key=["afew", "videos"])},
    group_name="afew",
    kinds={"pytorch", "opencv"},
    description="RetinaFace on every frame, one target face a clip, 112x112 crops aligned on five landmarks.",
)
def afew_aligned_faces(
    context: dg.AssetExecutionContext, workbench: Workbench, videos: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Detect, track and align."""
    with step(context):
        from nrdfer.config import build_settings
        from nrdfer.preprocess import AlignSettings
        from nrdfer.stages import align, sources
        from nrdfer.stages.weights import network_weights
        from nrdfer.store import file_sha256

        profile = workbench.settings
        settings = build_settings(AlignSettings, profile.align, f"profile {profile.name}: align")
        weights = network_weights("retinaface", profile.weights)
        rows = sources.read_listing(videos.path)["clips"]
        artifact = workbench.store.build_resumable(
            "afew/aligned_faces",
            code_version="1",
            config={**profile.align, "convention": profile.weights.retinaface_convention},
            inputs={"videos": videos.manifest["counts"]["content_digest"], "weights": file_sha256(weights)},
            build=lambda work, out: align.align_corpus(
                rows,
                weights,
                settings,
                work,
                out,
                convention=profile.weights.retinaface_convention,
                workers=profile.workers,
                progress=progress_logger(context, "aligning clips"),
            ),
        )
        return materialize(context, artifact, weights=str(weights), **artifact.manifest["counts"])


@dg.asset(
    key=["afew", "enhanced_faces"],
    ins={"aligned_faces": dg.AssetIn(key=["afew", "aligned_faces"])},
    group_name="afew",
    kinds={"pytorch"},
    description="EnlightenGAN on every aligned crop (or none, if the profile says so; the shards record which).",
)
def afew_enhanced_faces(
    context: dg.AssetExecutionContext, workbench: Workbench, aligned_faces: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Enhance the light."""
    with step(context):
        from nrdfer.errors import ProfileError
        from nrdfer.stages import align
        from nrdfer.stages.weights import network_weights
        from nrdfer.store import file_sha256

        profile = workbench.settings
        if profile.enhance not in ("none", "crop"):
            raise ProfileError(f"profile {profile.name}: enhance is {profile.enhance!r}; it must be 'none' or 'crop'")
        weights = None
        if profile.enhance == "crop":
            weights = network_weights("enlightengan", profile.weights)
        artifact = workbench.store.build(
            "afew/enhanced_faces",
            code_version="1",
            config={"enhance": profile.enhance},
            inputs={
                "aligned_faces": aligned_faces.digest,
                "weights": file_sha256(weights) if weights else "none",
            },
            build=lambda out: align.enhance_corpus(
                aligned_faces.path, weights, out, progress_logger(context, "enhancing clips")
            ),
        )
        return materialize(context, artifact, weights=str(weights), **artifact.manifest["counts"])


@dg.asset(
    key=["afew", "shards"],
    ins={"enhanced_faces": dg.AssetIn(key=["afew", "enhanced_faces"])},
    group_name="afew",
    kinds={"webdataset"},
    description="WebDataset shards of AFEW's faces, byte-identical whoever builds them, with an index.",
)
def afew_shards(
    context: dg.AssetExecutionContext, workbench: Workbench, enhanced_faces: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Write the shards."""
    with step(context):
        import dataclasses

        from nrdfer.stages import shard

        config = workbench.settings.shards
        artifact = workbench.store.build(
            "afew/shards",
            code_version="1",
            config=dataclasses.asdict(config),
            inputs={"enhanced_faces": enhanced_faces.digest},
            build=lambda out: shard.shard_aligned(
                enhanced_faces.path, out, config, progress_logger(context, "clips in shards")
            ),
        )
        return materialize(context, artifact, **artifact.manifest["counts"])
