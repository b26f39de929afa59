"""The report: the last asset of the graph, which compares everything.

Keep here: what the report is made of. Keep out: how it is written (``nrdfer/reporting/build.py``).
"""

import dagster as dg

from assets import asset_groups
from assets.metadata import into_mlflow, results
from assets.pictures import picture
from assets.project_resource import OPTIONAL, Workbench
from assets.step_results import materialize, step
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.store import Artifact

FOLDER = "report"  # of the report's files in MLflow's run
INPUTS = {
    "afew_shards": AFEW.asset("shards"),
    "dfew_shards": DFEW.asset("shards"),
    "dfew_folds": DFEW.asset("folds"),
    "afew_evaluation": AFEW.asset("evaluation"),
    "cross_validation": DFEW.asset("cross_validation"),
    **{name: DFEW.asset("evaluation", name) for name in DFEW.splits},
}


@dg.asset(
    key=["report"],
    # it shows what there is: of one corpus, or of one fold
    ins={name: dg.AssetIn(key=asset.split("/"), metadata={OPTIONAL: True}) for name, asset in INPUTS.items()},
    # Tables and the noise benchmark are no dependencies: they are shown as far as they are there, and of a dependency
    # that was never made the UI says, before every launch, that the run may fail.
    group_name=asset_groups.REPORT.name,
    kinds={"html"},
    description=asset_groups.description(
        "One page with every table and figure of the paper beside ours, settings and digests.",
        "the evaluations and their data; tables and the noise benchmark as far as their own jobs have run.",
        "`result`, DFEW's folds together, or what was evaluated instead; `page`, in MLflow, and `page_file`, which a "
        "browser opens without a network; `report`, the same as text, here; `tables_filled`. `nrdfer results` prints "
        "the main table.",
    ),
)
def report(
    context: dg.AssetExecutionContext, workbench: Workbench, **made: Artifact | None
) -> dg.MaterializeResult[Artifact]:
    """Write the report."""
    with step(context):
        from nrdfer.evaluation.checkpoints import read_metrics
        from nrdfer.publish.register_model import log_report
        from nrdfer.reporting.build import FIGURES, PAGE, REPORT, write_report
        from nrdfer.reporting.collect import find
        from nrdfer.tracking.client import dagster_url

        profile = workbench.settings
        inputs = {name: artifact for name, artifact in made.items() if artifact is not None}
        folds = {name: inputs[name].digest for name in DFEW.splits if name in inputs}
        whole = inputs.get("cross_validation")
        if whole is not None and dict(whole.manifest["inputs"]) != folds:
            context.log.warning("figures over all folds are left out: they are of earlier evaluations of some folds")
            whole = None
            del inputs["cross_validation"]
        evaluations = [inputs[name] for name in ("afew_evaluation", *DFEW.splits) if name in inputs]
        found = find(
            profile,
            workbench.store,
            {name: inputs[name] for name in DFEW.splits if name in inputs},
            whole,
            inputs.get("afew_evaluation"),
            inputs.get("dfew_shards"),
            {INPUTS[name]: artifact.digest for name, artifact in inputs.items()},
        )
        artifact = workbench.store.build(
            "report",
            code_version="4",
            config=profile.to_dict(),
            inputs=found.inputs,
            build=lambda out: write_report(
                found, out, {"Dagster run": context.run_id, "address": dagster_url(context.run_id)}
            ),
        )
        workbench.remember_report(artifact)
        headline = found.cross_validation or next(iter(found.folds.values()), found.afew) or evaluations[0]
        counts, figures = artifact.manifest["counts"], artifact.path / FIGURES
        mlflow_metadata = into_mlflow(context, workbench, artifact, FOLDER)
        pipeline = workbench.tracking.pipeline_run(context.run_id, profile.to_dict())
        log_report(
            workbench.tracking,
            pipeline,
            artifact.path / PAGE,
            evaluations,
            [inputs[name] for name in ("afew_shards", "dfew_shards") if name in inputs],
        )
        filled = (f"{name} {done}/{counts['rows'][name]}" for name, done in counts["rows_filled"].items())
        return materialize(
            context,
            artifact,
            **results(read_metrics(headline.path), "" if headline is found.cross_validation else headline.asset),
            report=dg.MetadataValue.md((artifact.path / REPORT).read_text(encoding="utf-8")),
            **(
                {
                    "filter_gain": picture(figures / "figure_4_filter_gain.png"),
                    "confusion": picture(figures / "confusion_dfew.png"),
                }
                if found.folds
                else {"confusion": picture(figures / "confusion_afew.png")}
            ),
            tables_filled=", ".join(filled),
            **({"missing": "; ".join(counts["missing"])} if "missing" in counts else {}),
            # a browser opens no file from a page, so the link leads to the copy in MLflow
            page=dg.MetadataValue.url(workbench.tracking.file_url(pipeline, f"{FOLDER}/{PAGE}")),
            page_file=dg.MetadataValue.path(str(artifact.path / PAGE)),
            mlflow_run=mlflow_metadata,
        )
