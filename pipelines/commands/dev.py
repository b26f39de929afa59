"""``nrdfer dev``: Dagster's and MLflow's pages on this machine, until Ctrl-C."""

from __future__ import annotations

import typer

from nrdfer.commands.common import readable_run


@readable_run
def dev() -> None:
    """Serve Dagster's and MLflow's pages on localhost until Ctrl-C. Ports: DAGSTER_PORT and MLFLOW_PORT."""
    from pipelines.commands.run import enter_project
    from pipelines.pages.serve import main

    enter_project(None)
    status = main()
    if status:
        raise typer.Exit(status)
