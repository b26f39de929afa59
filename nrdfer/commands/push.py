"""``nrdfer push``: a trained network into a repository of the Hugging Face hub, once its user has agreed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from nrdfer.commands.common import readable, refuse_no_model
from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_text import one_line


@readable
def push(
    model: Annotated[str, typer.Argument(help="A registered version, or a folder that `nrdfer train` filled.")],
    target: Annotated[str, typer.Argument(help="The repository: hf://OWNER/NAME; made if it is not there.")],
    public: Annotated[bool, typer.Option("--public", help="Everyone may see it; without it, a private one.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Publish weights, settings, preprocessing, card and manifest of a model; lists them and asks before it sends.

    Never sends corpora, predictions or pictures. The token is the one of `hf auth login`, or HF_TOKEN.
    """
    from nrdfer.weights.hub_address import parse_hub_address

    parse_hub_address(target)
    refuse_no_model(model)
    from nrdfer.publish.push import plan_push
    from nrdfer.publish.push import push as send

    plan = plan_push(model, target, public=public)
    if plan.content.note:
        typer.echo(one_line(f"note: {plan.content.note}"), err=True)
    for line in plan.lines():
        typer.echo(one_line(line))
    if not yes:
        if not sys.stdin.isatty():
            raise NrdferError("nothing was sent: there is no terminal to ask on; add --yes to agree to the list above")
        if not typer.confirm("Send these files?"):
            typer.echo("nothing was sent", err=True)
            raise typer.Exit(1)
    address = send(plan)
    typer.echo(f"published as {address}")
    typer.echo(f"nrdfer predict VIDEO --model {address}")
