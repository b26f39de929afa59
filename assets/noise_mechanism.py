"""The noise benchmark's first stage: networks that are trained and frozen, and temporal stages on their features.

Keep here: which steps there are: one a frozen network, and one for all stages on its features of one arm's clips.
Keep out: training and measuring (``nrdfer/noise``).
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets import asset_groups
from assets.code_references import source_of
from assets.project_resource import Workbench
from assets.step_results import output, progress_logger, step, training_logger
from assets.training import RETRY
from nrdfer.config.noise import ARMS
from nrdfer.store import Artifact, digest_of

_GROUP = asset_groups.NOISE.name
CLIPS, FROZEN_NETWORKS, MECHANISM = "noise/clips", "noise/frozen_networks", "noise/mechanism"
_BACKBONE, _STAGES = "noise/backbone", "noise/stages"
LIST = "made.json"  # of the artefacts that one stage made


def collector(name: str, asset: str, what: str) -> Any:
    """An op that lists the artefacts of one stage, which belong together."""

    @dg.op(
        name=name,
        ins={"clips": dg.In(Artifact), "made": dg.In(list)},
        out=dg.Out(Artifact),
        description=f"Lists the {what} that were made.",
    )
    def collect(
        context: dg.OpExecutionContext, workbench: Workbench, clips: Artifact, made: list[dict[str, Any]]
    ) -> dg.Output[Artifact]:
        with step(context):
            rows = sorted(made, key=str)
            artifact = workbench.store.build(
                asset,
                code_version="2",
                config={"made": [{name: row[name] for name in row if name != "digest"} for row in rows]},
                inputs={"clips": clips.digest, "made": digest_of(rows)},
                build=lambda out: {"made": (out / LIST).write_text(json.dumps(rows)) and len(rows)},
            )
            return output(context, artifact, made=len(rows), source=source_of(collector))
        raise AssertionError  # the step either returns or raises

    return collect


@dg.op(
    ins={"clips": dg.In(Artifact)},
    out=dg.DynamicOut(dict, io_manager_key="chunks"),
    description="Names the frozen networks.",
)
def noise_backbone_plan(context: dg.OpExecutionContext, workbench: Workbench, clips: Artifact) -> Iterator[Any]:
    """Name the frozen networks."""
    with step(context):
        for number in range(workbench.settings.noise.backbones):
            yield dg.DynamicOutput({"asset": _BACKBONE, "number": number}, mapping_key=f"backbone_{number}")


@dg.op(
    ins={"clips": dg.In(Artifact), "asked": dg.In(dict)},
    out=dg.Out(dict, io_manager_key="chunks"),
    pool="gpu",
    retry_policy=RETRY,
    description="Trains one frozen network, and makes the features of all clips.",
)
def noise_backbone(
    context: dg.OpExecutionContext, workbench: Workbench, clips: Artifact, asked: dict[str, Any]
) -> dict[str, Any]:
    """Train one frozen network, unless it was trained already."""
    with step(context):
        from nrdfer.noise.backbones import train_backbone
        from nrdfer.noise.training import FROZEN, NoiseTraining

        settings, number = workbench.settings.noise, asked["number"]
        training = NoiseTraining(FROZEN, number, settings, workbench.settings.engine)
        title = f"frozen network {number}"
        artifact = workbench.store.build_resumable(
            _BACKBONE,
            code_version="1",
            config={**training.config(), "width": settings.stage.width, "views": settings.stage.views},
            inputs={"clips": clips.digest},
            build=lambda work, out: train_backbone(
                training,
                clips.path,
                work,
                out,
                progress=training_logger(context, title),
                done=progress_logger(context, f"{title}: features of clips"),
                log=context.log.info,
            ),
        )
        found = "found in the store" if artifact.up_to_date else "trained"
        context.log.info(f"{title}: {found}")
        return {**asked, "digest": artifact.digest}
    raise AssertionError  # the step either returns or raises


@dg.op(
    ins={"clips": dg.In(Artifact), "frozen": dg.In(Artifact)},
    out=dg.DynamicOut(dict, io_manager_key="chunks"),
    description="Names the sets of stages: every frozen network, every arm.",
)
def noise_stages_plan(
    context: dg.OpExecutionContext, workbench: Workbench, clips: Artifact, frozen: Artifact
) -> Iterator[Any]:
    """Name the sets of stages."""
    with step(context):
        for row in json.loads((frozen.path / LIST).read_text()):
            for arm in ARMS:
                asked = {"asset": _STAGES, "number": row["number"], "arm": arm, "backbone": row["digest"]}
                yield dg.DynamicOutput(asked, mapping_key=f"stages_{row['number']}_{arm}")


@dg.op(
    ins={"clips": dg.In(Artifact), "asked": dg.In(dict)},
    out=dg.Out(dict, io_manager_key="chunks"),
    pool="gpu",
    retry_policy=RETRY,
    description="Trains the stages of every token on one frozen network's features of one arm's clips.",
)
def noise_stages(
    context: dg.OpExecutionContext, workbench: Workbench, clips: Artifact, asked: dict[str, Any]
) -> dict[str, Any]:
    """Train one set of stages, unless it was trained already."""
    with step(context):
        from nrdfer.noise.mechanism import run_stages
        from nrdfer.runtime.determinism import set_up
        from nrdfer.runtime.placement import places

        settings, engine, arm = workbench.settings.noise, workbench.settings.engine, asked["arm"]
        backbone = workbench.store.open(_BACKBONE, asked["backbone"])

        def build(_work: Any, out: Any) -> dict[str, Any]:
            with places(engine):
                device = set_up(dataclasses.replace(engine, precision="fp32"))
                return run_stages(
                    settings, asked["number"], arm, backbone.path, clips.path, out, device=device, log=context.log.info
                )

        artifact = workbench.store.build_resumable(
            _STAGES,
            code_version="1",
            config={
                "number": asked["number"],
                "arm": arm,
                "seeds": settings.stage_seeds,
                "stage": dataclasses.asdict(settings.stage),
                "engine": engine.numerics(),
            },
            inputs={"clips": clips.digest, "backbone": backbone.digest},
            build=build,
        )
        found = "found in the store" if artifact.up_to_date else "trained"
        context.log.info(f"stages on frozen network {asked['number']}, arm {arm}: {found}")
        return {**asked, "digest": artifact.digest}
    raise AssertionError  # the step either returns or raises


noise_backbone_collect = collector("noise_backbone_collect", FROZEN_NETWORKS, "frozen networks")
noise_stages_collect = collector("noise_stages_collect", MECHANISM, "sets of stages")


@dg.graph_asset(
    key=FROZEN_NETWORKS.split("/"),
    ins={"clips": dg.AssetIn(key=CLIPS.split("/"))},
    group_name=_GROUP,
    kinds={"pytorch"},
    description=asset_groups.description(
        "Networks without a class token, trained on clips without noise and frozen, and their features of every clip.",
        "`noise/clips`. Each training is a step of its own, and shares the pool `gpu` with all others.",
        "`made`, how many there are; the log of each step has its figures.",
    ),
)
def noise_frozen_networks(clips: Any) -> Any:
    """Train, freeze, and make features."""
    made = noise_backbone_plan(clips).map(lambda asked: noise_backbone(clips=clips, asked=asked))
    return noise_backbone_collect(clips=clips, made=made.collect())


@dg.graph_asset(
    key=MECHANISM.split("/"),
    ins={"clips": dg.AssetIn(key=CLIPS.split("/")), "frozen": dg.AssetIn(key=FROZEN_NETWORKS.split("/"))},
    group_name=_GROUP,
    kinds={"pytorch"},
    description=asset_groups.description(
        "Temporal stages with every kind of token, trained on frozen features of three arms of clips, with many seeds.",
        "`noise/frozen_networks`. The stages of one network and arm are one step, and trained together.",
        "`made`, how many sets there are; the log of each step has its figures.",
    ),
)
def noise_mechanism(clips: Any, frozen: Any) -> Any:
    """Train the stages."""
    made = noise_stages_plan(clips, frozen).map(lambda asked: noise_stages(clips=clips, asked=asked))
    return noise_stages_collect(clips=clips, made=made.collect())
