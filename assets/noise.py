"""The noise benchmark: clips with known frames, networks trained and tested on them, and the findings.

Keep here: which steps there are, and that each training is one. Keep out: rendering, training and measuring
(``nrdfer/noise``).
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets import asset_groups
from assets.chunked_assets import CORES
from assets.metadata import into_mlflow
from assets.pictures import picture
from assets.project_resource import Workbench
from assets.step_results import materialize, output, progress_logger, step, training_logger
from assets.training import RETRY
from nrdfer.store import Artifact, digest_of

GROUP = asset_groups.NOISE.name
_CLIPS, _TRAINING, _MEASUREMENTS, _BENCHMARK = (
    "noise/clips", "noise/training", "noise/measurements", "noise/benchmark"
)  # fmt: skip
#: Settings that determine the clips; the others determine the trainings on them.
_OF_CLIPS = (
    "seed", "training_people", "test_people", "frames", "amplitude", "image_size", "n1_levels", "n2_levels",
    "training_n1", "training_n2_clips",
)  # fmt: skip


@dg.asset(
    key=_CLIPS.split("/"),
    group_name=GROUP,
    kinds={"webdataset"},
    op_tags=CORES,
    description=asset_groups.description(
        "Rendered training clips, and the same test clips in every condition of noise, N1 and N2 in steps.",
        "the profile's `noise` alone: every person and frame follows from its seed, so all that is wrong with a frame "
        "is known.",
        "`clips`, how many there are, and `training`, how many of them are used for training.",
    ),
)
def noise_clips(context: dg.AssetExecutionContext, workbench: Workbench) -> dg.MaterializeResult[Artifact]:
    """Render the clips."""
    with step(context):
        from nrdfer.corpora.synthetic.render import RENDERING
        from nrdfer.noise.corpus import render_clips

        settings = workbench.settings.noise
        values = dataclasses.asdict(settings)
        artifact = workbench.store.build_resumable(
            _CLIPS,
            code_version=f"1-{RENDERING}",
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
        return materialize(context, artifact, **artifact.manifest["counts"])


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
                yield dg.DynamicOutput({"network": name, "seed": seed}, mapping_key=key)


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
            code_version="1",
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


@dg.op(
    ins={"clips": dg.In(Artifact), "trained": dg.In(list)},
    out=dg.Out(Artifact),
    description="Lists the trainings that were made.",
)
def noise_collect(
    context: dg.OpExecutionContext, workbench: Workbench, clips: Artifact, trained: list[dict[str, Any]]
) -> dg.Output[Artifact]:
    """Collect the training runs that belong together."""
    with step(context):
        import json

        rows = sorted(trained, key=lambda row: (row["network"], row["seed"]))
        artifact = workbench.store.build(
            _MEASUREMENTS,
            code_version="1",
            config={"trainings": [[row["network"], row["seed"]] for row in rows]},
            inputs={"clips": clips.digest, "trainings": digest_of(rows)},
            build=lambda out: {"trainings": (out / "trainings.json").write_text(json.dumps(rows)) and len(rows)},
        )
        return output(context, artifact, trainings=len(rows))
    raise AssertionError  # the step either returns or raises


@dg.graph_asset(
    key=_MEASUREMENTS.split("/"),
    ins={"clips": dg.AssetIn(key=_CLIPS.split("/"))},
    group_name=GROUP,
    kinds={"pytorch"},
    description=asset_groups.description(
        "Every network of the benchmark, trained several times: the settings of Table 1, and rivals.",
        "`noise/clips`. Each training is a step of its own, and shares the pool `gpu` with all others.",
        "`trainings`, how many there are; the log of each step has its figures.",
    ),
)
def noise_measurements(clips: Any) -> Any:
    """Train and predict."""
    trained = noise_plan(clips).map(lambda training: noise_training(clips=clips, training=training))
    return noise_collect(clips=clips, trained=trained.collect())


@dg.asset(
    key=_BENCHMARK.split("/"),
    ins={"clips": dg.AssetIn(key=_CLIPS.split("/")), "measurements": dg.AssetIn(key=_MEASUREMENTS.split("/"))},
    group_name=GROUP,
    kinds={"mlflow"},
    description=asset_groups.description(
        "What noisy frames do to each network, and a verdict on each of the paper's claims, confirmed or not.",
        "the predictions of `noise/measurements` on `noise/clips`, whose every frame is known.",
        "`findings`, tables with intervals; `war`, accuracy as noise grows; `attention` on N1 frames; `neutral` calls "
        "over N2.",
    ),
)
def noise_benchmark(
    context: dg.AssetExecutionContext, workbench: Workbench, clips: Artifact, measurements: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Determine which claims hold."""
    with step(context):
        from nrdfer.config.noise import recipe_as_written
        from nrdfer.noise.analyse import measure
        from nrdfer.noise.plots import ATTENTION_PICTURE, NEUTRAL_PICTURE, WAR_PICTURE
        from nrdfer.noise.report import MARKDOWN

        profile = workbench.settings
        settings = profile.noise
        recipe = recipe_as_written(profile.to_dict()["noise"])  # with which the benchmarks of older versions are found
        artifact = workbench.store.build(
            _BENCHMARK,
            code_version="4",
            config={**dataclasses.asdict(settings), "recipe": recipe},
            inputs={"clips": clips.digest, "measurements": measurements.digest},
            build=lambda out: measure(settings, clips.path, measurements.path, workbench.store, out),
        )
        context.log.info((artifact.path / MARKDOWN).read_text())
        return materialize(
            context,
            artifact,
            findings=dg.MetadataValue.md((artifact.path / MARKDOWN).read_text()),
            **artifact.manifest["counts"],
            war=picture(artifact.path / WAR_PICTURE),
            attention=picture(artifact.path / ATTENTION_PICTURE),
            neutral=picture(artifact.path / NEUTRAL_PICTURE),
            mlflow_run=into_mlflow(context, workbench, artifact, "noise_benchmark"),
        )


assets = [noise_clips, noise_measurements, noise_benchmark]
