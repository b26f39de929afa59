"""The noise benchmark: clips with known frames, networks trained end to end on them, and the findings.

Keep here: which steps there are, and that each training is one. Keep out: frozen networks and their stages
(``noise_mechanism``); rendering, training and measuring (``nrdfer/noise``).
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets import asset_groups
from assets.chunked_assets import CORES
from assets.metadata import into_mlflow
from assets.noise_mechanism import (
    CLIPS,
    FROZEN_NETWORKS,
    MECHANISM,
    collector,
    noise_frozen_networks,
    noise_mechanism,
)
from assets.pictures import picture
from assets.project_resource import Workbench
from assets.step_results import materialize, progress_logger, step, training_logger
from assets.training import RETRY
from nrdfer.store import Artifact, digest_of

GROUP = asset_groups.NOISE.name
_TRAINING, _MEASUREMENTS, _BENCHMARK = "noise/training", "noise/measurements", "noise/benchmark"
#: Settings that determine the clips; the others determine the trainings on them.
_OF_CLIPS = (
    "seed", "training_people", "backbone_people", "test_people", "frames", "amplitude", "image_size", "n1_levels",
    "n2_levels", "training_n1", "training_n2_clips", "neutral_share",
)  # fmt: skip


@dg.asset(
    key=CLIPS.split("/"),
    group_name=GROUP,
    kinds={"webdataset"},
    op_tags=CORES,
    description=asset_groups.description(
        "Rendered training clips in three arms, and the same test clips in every condition of noise, N1 and N2 in "
        "steps.",
        "the profile's `noise` alone: every person and frame follows from its seed, so all that is wrong with a frame "
        "is known.",
        "`clips`, how many there are, and `training`, how many of them are used for training; `registered`, sha256 of "
        "the claims that will be decided.",
    ),
)
def noise_clips(context: dg.AssetExecutionContext, workbench: Workbench) -> dg.MaterializeResult[Artifact]:
    """Render the clips."""
    with step(context):
        from nrdfer.corpora.synthetic.render import RENDERING
        from nrdfer.noise.corpus import render_clips

        settings = workbench.settings.noise
        registered = digest_of(settings.registered())
        context.log.info(f"claims named before anything is run: {', '.join(settings.contrasts)}; sha256 {registered}")
        values = dataclasses.asdict(settings)
        artifact = workbench.store.build_resumable(
            CLIPS,
            code_version=f"2-{RENDERING}",
            config={name: values[name] for name in _OF_CLIPS},
            inputs={},
            build=lambda work, out: render_clips(
                settings,
                work,
                out,
                workers=workbench.settings.workers,
                progress=progress_logger(context, "clips rendered"),
            ),
        )
        return materialize(context, artifact, **artifact.manifest["counts"], registered=registered)


@dg.op(
    ins={"clips": dg.In(Artifact)},
    out=dg.DynamicOut(dict, io_manager_key="chunks"),
    description="Names the trainings: every network, every seed.",
)
def noise_plan(context: dg.OpExecutionContext, workbench: Workbench, clips: Artifact) -> Iterator[Any]:
    """Name the trainings."""
    with step(context):
        settings = workbench.settings.noise
        for name in settings.networks:
            for seed in range(settings.seeds):
                key = f"{name.replace('-', '_')}_{seed}"
                yield dg.DynamicOutput({"asset": _TRAINING, "network": name, "seed": seed}, mapping_key=key)


@dg.op(
    ins={"clips": dg.In(Artifact), "training": dg.In(dict)},
    out=dg.Out(dict, io_manager_key="chunks"),
    pool="gpu",
    retry_policy=RETRY,
    description="Trains one network and predicts every test clip.",
)
def noise_training(
    context: dg.OpExecutionContext, workbench: Workbench, clips: Artifact, training: dict[str, Any]
) -> dict[str, Any]:
    """Train one network, unless it was trained already."""
    with step(context):
        from nrdfer.noise.training import NoiseTraining, train_and_predict

        name, seed = training["network"], training["seed"]
        asked = NoiseTraining(name, seed, workbench.settings.noise, workbench.settings.engine)
        title = f"{name}, seed {seed}"
        artifact = workbench.store.build_resumable(
            _TRAINING,
            code_version="2",
            config=asked.config(),
            inputs={"clips": clips.digest},
            build=lambda work, out: train_and_predict(
                asked,
                clips.path,
                work,
                out,
                progress=training_logger(context, title),
                log=context.log.info,
            ),
        )
        found = "found in the store" if artifact.up_to_date else "trained"
        context.log.info(f"{title}: {found}, WAR over all conditions {artifact.manifest['counts']['war']:.3f}")
        return {**training, "digest": artifact.digest}
    raise AssertionError  # the step either returns or raises


noise_training_collect = collector("noise_training_collect", _MEASUREMENTS, "trainings")


@dg.graph_asset(
    key=_MEASUREMENTS.split("/"),
    ins={"clips": dg.AssetIn(key=CLIPS.split("/"))},
    group_name=GROUP,
    kinds={"pytorch"},
    description=asset_groups.description(
        "Every network of the benchmark, trained end to end several times: the settings of Table 1, and rivals.",
        "`noise/clips`. Each training is a step of its own, and shares the pool `gpu` with all others.",
        "`made`, how many there are; the log of each step has its figures.",
    ),
)
def noise_measurements(clips: Any) -> Any:
    """Train and predict."""
    trained = noise_plan(clips).map(lambda training: noise_training(clips=clips, training=training))
    return noise_training_collect(clips=clips, made=trained.collect())


@dg.asset(
    key=_BENCHMARK.split("/"),
    ins={
        "clips": dg.AssetIn(key=CLIPS.split("/")),
        "frozen": dg.AssetIn(key=FROZEN_NETWORKS.split("/")),
        "mechanism": dg.AssetIn(key=MECHANISM.split("/")),
        "measurements": dg.AssetIn(key=_MEASUREMENTS.split("/")),
    },
    group_name=GROUP,
    kinds={"mlflow"},
    description=asset_groups.description(
        "What noisy frames do, and a verdict on each claim that was named beforehand.",
        "the answers of `noise/mechanism` and `noise/measurements` on `noise/clips`, whose every frame is known.",
        "`findings`, the page with tables and intervals; `contrasts`, the verdicts; `war`, accuracy as noise grows; "
        "`attention` on N1 frames; `vetoes` of the filter.",
    ),
)
def noise_benchmark(
    context: dg.AssetExecutionContext,
    workbench: Workbench,
    clips: Artifact,
    frozen: Artifact,
    mechanism: Artifact,
    measurements: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """Determine which claims hold."""
    with step(context):
        from nrdfer.noise.analyse import measure
        from nrdfer.noise.plots import ATTENTION_PICTURE, CONTRASTS_PICTURE, FILTER_PICTURE, WAR_PICTURE
        from nrdfer.noise.report import MARKDOWN

        settings = workbench.settings.noise
        lists = [frozen, mechanism, measurements]
        artifact = workbench.store.build(
            _BENCHMARK,
            code_version="5",
            config={**dataclasses.asdict(settings), "registered": settings.registered()},
            inputs={"clips": clips.digest, **{one.asset: one.digest for one in lists}},
            build=lambda out: measure(settings, clips.path, [one.path for one in lists], workbench.store, out),
        )
        text = (artifact.path / MARKDOWN).read_text()
        context.log.info(text)
        return materialize(
            context,
            artifact,
            findings=dg.MetadataValue.md(text),
            **artifact.manifest["counts"],
            contrasts=picture(artifact.path / CONTRASTS_PICTURE),
            war=picture(artifact.path / WAR_PICTURE),
            attention=picture(artifact.path / ATTENTION_PICTURE),
            vetoes=picture(artifact.path / FILTER_PICTURE),
            mlflow_run=into_mlflow(context, workbench, artifact, "noise_benchmark"),
        )


assets = [noise_clips, noise_frozen_networks, noise_mechanism, noise_measurements, noise_benchmark]
