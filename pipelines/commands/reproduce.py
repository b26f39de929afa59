"""``nrdfer reproduce``: the main job, from nothing; the rendered corpus is made first, where the profile has one."""

from __future__ import annotations

import typer

from nrdfer.commands.common import bar, readable_run
from nrdfer.core.plain_text import name_text
from pipelines.commands.run import MAIN, Config, Only, ProfileName, enter_project, read_or_not, run_job


@readable_run
def reproduce(profile: ProfileName = None, only: Only = None, config: Config = None) -> None:
    """Reproduce everything, from video to report, as the profile says. Again: it continues; what is done stays."""
    config = None if config is None else config.absolute()
    enter_project(profile)
    from nrdfer.config.resolve import profile_of_shell

    found = profile_of_shell()
    if found.corpora.rendered and config is None:
        from nrdfer.preprocessing.corpus_listing import render_sample

        progress, step = bar("rendering the sample corpus")
        with progress:
            folder = render_sample(found, step)
        typer.echo(f"rendered corpus in {name_text(folder)}")
    status = run_job(MAIN, only=only, config=config)
    if status:
        raise typer.Exit(status)
    with read_or_not():
        typer.echo("\nLook at it:  nrdfer dev   (Dagster on http://127.0.0.1:3000, MLflow on http://127.0.0.1:5000)")
