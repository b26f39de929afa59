"""Work on many clips, split into chunks that any executor can distribute over processes or machines.

An asset of this kind is a graph of three ops: `plan` names the clips that are not finished yet, in chunks; each chunk
is worked on by a step of its own, retried alone if it fails; `publish` makes the artefact of what all of them finished.
Finished clips are in the store's work folder, so neither a retry nor another run repeats them. What the work is, and
what it depends on, is defined by a `ClipWork` (``preprocessing.py``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import dagster as dg

from assets.code_references import code_reference, source_of
from assets.project_resource import Workbench
from assets.step_results import output, progress_logger, step
from nrdfer.core.progress import Progress
from nrdfer.store import Artifact

#: Before training, which would occupy all processes for its duration: a training on videos waits for these.
EARLY = {"dagster/priority": "1"}
#: Of a step that starts the profile's ``workers`` processes: a cluster is asked for as many cores.
CORES = {"nrdfer/cores": "workers"}
RETRIES = dg.RetryPolicy(max_retries=2, delay=1)


class ClipWork(Protocol):
    """Work on the clips of one artefact."""

    asset: str  # the artefact's name
    code_version: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]  # digests
    facts: Mapping[str, Any]  # more for the metadata

    def pending(self, work: Path) -> list[str]:
        """Ids of the clips that are unfinished in the work folder."""
        ...

    def work_on(self, clip_ids: Sequence[str], work: Path, progress: Progress) -> None:
        """Finish these clips in the work folder."""
        ...

    def publish(self, work: Path, out: Path) -> Mapping[str, Any]:
        """Write all clips to `out`, finishing the unfinished ones; returns counts."""
        ...

    def metadata(self, published: Path) -> Mapping[str, Any]:
        """More metadata, from the published files: pictures, pages."""
        ...


MakeWork = Callable[[Workbench, Sequence[Artifact]], ClipWork]


def clip_asset(
    name: str, inputs: Mapping[str, str], make_work: MakeWork, *, group: str, description: str, kinds: set[str]
) -> dg.AssetsDefinition:
    """An asset that works on clips in chunks.

    Args:
        name: ``corpus/step``.
        inputs: name -> asset that is read; given to `make_work` in this order.
        make_work: builds the work from the workbench and the inputs' artefacts.
        group: name of the group that the UI shows it in.
        description: for the UI.
        kinds: for the UI.
    """
    prefix = name.replace("/", "_")
    ins = {key: dg.In(Artifact) for key in inputs}

    @dg.op(
        name=f"{prefix}_plan", ins=ins, out=dg.DynamicOut(list, io_manager_key="chunks"), tags=EARLY,
        description="Names the clips that are not finished yet, in chunks.",
    )  # fmt: skip
    def plan(context: dg.OpExecutionContext, workbench: Workbench, **read: Artifact) -> Iterator[Any]:
        with step(context):
            work = make_work(workbench, list(read.values()))
            digest = _digest(workbench, work)
            if workbench.store.is_published(work.asset, digest):
                return
            pending = work.pending(workbench.store.workdir(work.asset, digest))
            size = workbench.settings.chunk_clips
            context.log.info(f"{name}: {len(pending)} clips to work on, in chunks of {size}")
            for start in range(0, len(pending), size):
                yield dg.DynamicOutput(pending[start : start + size], mapping_key=f"from_{start:06d}")

    @dg.op(
        name=f"{prefix}_chunk", ins={**ins, "clip_ids": dg.In(list)}, out=dg.Out(int, io_manager_key="chunks"),
        tags={**EARLY, **CORES}, retry_policy=RETRIES, description="Finishes the clips of one chunk.",
    )  # fmt: skip
    def chunk(context: dg.OpExecutionContext, workbench: Workbench, clip_ids: list[str], **read: Artifact) -> int:
        with step(context):
            work = make_work(workbench, list(read.values()))
            digest = _digest(workbench, work)
            if workbench.store.is_published(work.asset, digest):
                return 0
            folder = workbench.store.workdir(work.asset, digest)
            folder.mkdir(parents=True, exist_ok=True)
            try:
                work.work_on(clip_ids, folder, progress_logger(context, f"{name}: clips"))
            except Exception:
                # another run that shares this folder may have published the artefact, and removed the folder
                if not workbench.store.is_published(work.asset, digest):
                    raise
                context.log.info(f"{name}: another run has published it meanwhile")
            return len(clip_ids)

    @dg.op(
        name=f"{prefix}_publish", ins={**ins, "done": dg.In(list)}, out=dg.Out(Artifact), tags=EARLY,
        description="Makes the artefact of all finished clips.",
    )  # fmt: skip
    def publish(
        context: dg.OpExecutionContext, workbench: Workbench, done: list[int], **read: Artifact
    ) -> dg.Output[Artifact]:
        with step(context):
            work = make_work(workbench, list(read.values()))
            artifact = workbench.store.build_resumable(
                work.asset,
                code_version=work.code_version,
                config=work.config,
                inputs=work.inputs,
                # which file the weights were, so that lineage finds it again
                build=lambda folder, out: {**work.publish(folder, out), **work.facts},
            )
            facts = {**artifact.manifest["counts"], **work.metadata(artifact.path)}
            return output(context, artifact, chunks=len(done), source=source_of(make_work), **facts)
        raise AssertionError  # the step either returns or raises

    @dg.graph_asset(
        key=name.split("/"),
        ins={key: dg.AssetIn(key=asset.split("/")) for key, asset in inputs.items()},
        group_name=group,
        kinds=kinds,
        description=description,
        metadata=code_reference(make_work),
    )
    def graph(**read: Any) -> Any:
        done = plan(**read).map(lambda clip_ids: chunk(clip_ids=clip_ids, **read))
        return publish(done=done.collect(), **read)

    return graph


def _digest(workbench: Workbench, work: ClipWork) -> str:
    return workbench.store.digest(work.asset, work.code_version, work.config, work.inputs)
