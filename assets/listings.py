"""The two corpora as they lie on disk: listings of AFEW's videos and DFEW's face pictures, with content hashes.

Keep here: the roots of the graph. Keep out: anything that opens a video.
"""

import dagster as dg

from assets import asset_groups
from assets.project_resource import Workbench
from assets.step_results import materialize, progress_logger, step
from nrdfer.store import Artifact


@dg.asset(
    key=["afew", "videos"],
    group_name=asset_groups.CORPORA.name,
    kinds={"ffmpeg"},
    description=asset_groups.description(
        "AFEW's videos as they lie on disk: clip id, emotion, split and sha256 of every file. No video is opened yet.",
        "the folder `root`: your own copy (`afew_root` in the launchpad), or the one that the sample renders.",
        "`clips`, `train` and `val`, how many there are. If they differ from what is published, `nrdfer doctor` says "
        "why.",
    ),
)
def afew_videos(context: dg.AssetExecutionContext, workbench: Workbench) -> dg.MaterializeResult[Artifact]:
    """List AFEW's videos."""
    with step(context):
        from nrdfer.corpora.afew import find_videos
        from nrdfer.experiments import check_profile as check
        from nrdfer.preprocessing import corpus_listing

        check.check_profile(workbench.settings)
        root = corpus_listing.afew_root(workbench.settings)
        artifact = workbench.store.build(
            "afew/videos",
            code_version="1",
            config={},
            inputs={"files": corpus_listing.fingerprint(root, (video.path for video in find_videos(root)))},
            build=lambda out: corpus_listing.list_afew(root, out, progress_logger(context, "hashing videos")),
        )
        return materialize(context, artifact, root=dg.MetadataValue.path(str(root)), **artifact.manifest["counts"])


@dg.asset(
    key=["dfew", "clips"],
    group_name=asset_groups.CORPORA.name,
    kinds={"image"},
    description=asset_groups.description(
        "DFEW's clips as they lie on disk: emotion, face pictures with their sha256, the five published folds. DFEW is "
        "distributed as face pictures, so nothing has to be detected.",
        "the folder `root`: your own copy (`dfew_root` in the launchpad), or the one that the sample renders.",
        "`clips`, `frames` and `set_aside`, the clips that cannot be used. If they differ from what is published, "
        "`nrdfer doctor` says why.",
    ),
)
def dfew_clips(context: dg.AssetExecutionContext, workbench: Workbench) -> dg.MaterializeResult[Artifact]:
    """List DFEW's clips and folds."""
    with step(context):
        from nrdfer.corpora.dfew import read_dfew
        from nrdfer.experiments import check_profile as check
        from nrdfer.preprocessing import corpus_listing, dfew_listing
        from nrdfer.store import digest_of

        check.check_profile(workbench.settings)
        root = corpus_listing.dfew_root(workbench.settings)
        corpus = read_dfew(root)
        labels = {k: [fold.train, fold.test] for k, fold in corpus.folds.items()}
        emotions = {clip.clip_id: clip.emotion for clip in corpus.clips}
        artifact = workbench.store.build_resumable(
            "dfew/clips",
            code_version="2",
            config={},
            inputs={"files": corpus_listing.fingerprint_dfew(root, corpus), "labels": digest_of([labels, emotions])},
            build=lambda work, out: dfew_listing.list_dfew(
                corpus,
                work,
                out,
                workers=workbench.settings.workers,
                progress=progress_logger(context, "hashing pictures"),
            ),
        )
        return materialize(context, artifact, root=dg.MetadataValue.path(str(root)), **artifact.manifest["counts"])
