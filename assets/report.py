"""The report: the last asset of the graph, everything put side by side.

Keep here: what the report is made of. Keep out: how it is written (``nrdfer/stages/report.py``).
"""

import dagster as dg

from assets.shown import picture
from assets.step import materialize, step
from assets.training import FOLDS
from assets.workbench import Workbench
from nrdfer.store import Artifact

INPUTS = {
    "afew_shards": ["afew", "shards"],
    "dfew_shards": ["dfew", "shards"],
    "dfew_folds": ["dfew", "folds"],
    "afew_evaluation": ["afew", "evaluation"],
    "cross_validation": ["dfew", "cross_validation"],
    **{f"fd{k}": ["dfew", f"fd{k}", "evaluation"] for k in FOLDS},
}


@dg.asset(
    key=["report"],
    ins={name: dg.AssetIn(key=key) for name, key in INPUTS.items()},
    group_name="report",
    kinds={"markdown"},
    description="Every figure of the reproduction in one folder: table, curves, confusion matrices, provenance.",
)
def report(
    context: dg.AssetExecutionContext, workbench: Workbench, **inputs: Artifact
) -> dg.MaterializeResult[Artifact]:
    """Write the report."""
    with step(context):
        from nrdfer.stages.report import REPORT, write_report

        profile = workbench.settings
        digests = {"/".join(INPUTS[name]): artifact.digest for name, artifact in inputs.items()}
        artifact = workbench.store.build(
            "report",
            code_version="1",
            config=profile.to_dict(),
            inputs=digests,
            build=lambda out: write_report(
                profile,
                {f"fd{k}": inputs[f"fd{k}"].path for k in FOLDS},
                inputs["cross_validation"].path,
                inputs["afew_evaluation"].path,
                digests,
                out,
            ),
        )
        workbench.remember_report(artifact)
        return materialize(
            context,
            artifact,
            report=dg.MetadataValue.md((artifact.path / REPORT).read_text().split("![")[0]),
            curves=picture(artifact.path / "dfew_curves.png"),
        )
