"""The report: the last asset of the graph, which compares everything.

Keep here: what the report is made of. Keep out: how it is written (``nrdfer/reporting/build.py``).
"""

import dagster as dg

from assets import asset_groups
from assets.metadata import into_mlflow, picture
from assets.project_resource import OPTIONAL, Workbench
from assets.step_results import materialize, step
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.store import Artifact

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
        "Every table and figure of the paper beside ours, in one page: both protocols, intervals, settings, digests.",
        "the evaluations and their data; tables and the noise benchmark as far as their own jobs have run.",
        "`page`, which a browser opens without a network; `report`, the same as text, here; `tables_filled`. "
        "`nrdfer results` prints the main table.",
    ),
)
def report(
    context: dg.AssetExecutionContext, workbench: Workbench, **made: Artifact | None
) -> dg.MaterializeResult[Artifact]:
    """Write the report."""
    with step(context):
        from nrdfer.publish.register_model import log_report
        from nrdfer.reporting.build import FIGURES, PAGE, REPORT, write_report
        from nrdfer.reporting.collect import find
        from nrdfer.tracking.client import dagster_url

        profile = workbench.settings
        inputs = {name: artifact for name, artifact in made.items() if artifact is not None}
        evaluations = [inputs[name] for name in ("afew_evaluation", *DFEW.splits) if name in inputs]
        found = find(
            profile,
            workbench.store,
            {name: inputs[name] for name in DFEW.splits if name in inputs},
            inputs.get("cross_validation"),
            inputs.get("afew_evaluation"),
            inputs.get("dfew_shards"),
            {INPUTS[name]: artifact.digest for name, artifact in inputs.items()},
        )
        artifact = workbench.store.build(
            "report",
            code_version="3",
            config=profile.to_dict(),
            inputs=found.inputs,
            build=lambda out: write_report(
                found, out, {"Dagster run": context.run_id, "address": dagster_url(context.run_id)}
            ),
        )
        workbench.remember_report(artifact)
        counts, figures = artifact.manifest["counts"], artifact.path / FIGURES
        mlflow_metadata = into_mlflow(context, workbench, artifact, "report")
        log_report(
            workbench.tracking,
            workbench.tracking.pipeline_run(context.run_id, profile.to_dict()),
            artifact.path / PAGE,
            evaluations,
            [inputs[name] for name in ("afew_shards", "dfew_shards") if name in inputs],
        )
        filled = (f"{name} {done}/{counts['rows'][name]}" for name, done in counts["rows_filled"].items())
        return materialize(
            context,
            artifact,
            page=dg.MetadataValue.url((artifact.path / PAGE).as_uri()),
            report=dg.MetadataValue.md((artifact.path / REPORT).read_text(encoding="utf-8")),
            tables_filled=", ".join(filled),
            **({"missing": "; ".join(counts["missing"])} if "missing" in counts else {}),
            mlflow_run=mlflow_metadata,
            **(
                {
                    "filter_gain": picture(figures / "figure_4_filter_gain.png"),
                    "confusion": picture(figures / "confusion_dfew.png"),
                }
                if found.folds
                else {"confusion": picture(figures / "confusion_afew.png")}
            ),
        )
