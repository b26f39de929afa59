"""Corpora as they are on disk: listings of videos or face pictures, with content hashes.

Keep here: the roots of the graph. Keep out: anything that opens a video or picture.
"""

import dagster as dg

from assets import asset_groups
from assets.chunked_assets import CORES
from assets.project_resource import Workbench
from assets.step_results import materialize, progress_logger, step
from nrdfer.corpora.base import Corpus
from nrdfer.store import Artifact

_VIDEOS = "List of {title}'s videos as they are on disk, with emotion, split and sha256; none is opened yet."
_PICTURES = "List of {title}'s clips as they are on disk, with emotion, published folds and the face pictures' sha256."


def _root_of(corpus: Corpus) -> str:
    """Which folder is listed, for the description."""
    if corpus.default_root is not None:
        return f"the folder `root`: where the clips were when the corpus was added, or {corpus.variable}."
    setting = f"`{corpus.name}_root`" if corpus.of_paper else f"`corpora: {{roots: {{{corpus.name}: ...}}}}`"
    return f"the folder `root`: your own copy ({setting} in the launchpad, or {corpus.variable}), or a rendered one."


def listing_asset(corpus: Corpus) -> dg.AssetsDefinition:
    """The listing of a corpus."""

    @dg.asset(
        key=corpus.asset(corpus.listing).split("/"),
        group_name=asset_groups.group_of(corpus, asset_groups.CORPORA),
        kinds={"ffmpeg" if corpus.videos else "image"},
        op_tags=CORES,
        description=asset_groups.description(
            (_VIDEOS if corpus.videos else _PICTURES).format(title=corpus.title),
            _root_of(corpus),
            "`clips`, and how many are in each part or `set_aside`, because they cannot be used. If they differ from "
            "what is published, `nrdfer doctor` says why.",
        ),
    )
    def listing(context: dg.AssetExecutionContext, workbench: Workbench) -> dg.MaterializeResult[Artifact]:
        with step(context):
            from nrdfer.experiments import check_profile as check
            from nrdfer.models.registry import MODELS
            from nrdfer.preprocessing import corpus_listing, picture_listing

            asset = corpus.asset(corpus.listing)
            if workbench.settings.model in MODELS and workbench.pointers.is_known(asset):
                check.check_devices(workbench.settings)  # the network was, when this was made with the same settings
            else:
                check.check_profile(workbench.settings, corpus.name)
            root = corpus_listing.corpus_root(workbench.settings, corpus)
            contents = corpus.read(root)
            artifact = workbench.store.build_resumable(
                asset,
                code_version="1" if corpus.videos else "2",
                config={},
                inputs=corpus_listing.listing_inputs(root, contents),
                build=lambda work, out: (
                    corpus_listing.list_videos(corpus, contents, out, progress_logger(context, "hashing videos"))
                    if corpus.videos
                    else picture_listing.list_pictures(
                        contents,
                        work,
                        out,
                        workers=workbench.settings.workers,
                        progress=progress_logger(context, "hashing pictures"),
                    )
                ),
            )
            return materialize(context, artifact, root=dg.MetadataValue.path(str(root)), **artifact.manifest["counts"])

    return listing
