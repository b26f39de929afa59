"""The command line ``nrdfer``, assembled from its commands. Each prints errors in one message and exits with 1.

A command itself belongs to ``nrdfer.commands``. Those that need the graph are in ``pipelines``, which this package must
not import; they are found by the entry points of this distribution (group ``nrdfer.commands``).
"""

from __future__ import annotations

import typer

from nrdfer.commands import installed
from nrdfer.commands.compare import compare
from nrdfer.commands.corpus import corpus_app
from nrdfer.commands.demo import demo
from nrdfer.commands.doctor import doctor
from nrdfer.commands.evaluate import evaluate
from nrdfer.commands.lineage import lineage
from nrdfer.commands.models import export, models
from nrdfer.commands.predict import predict
from nrdfer.commands.preprocess import preprocess
from nrdfer.commands.push import push
from nrdfer.commands.recipes import recipes
from nrdfer.commands.results import results
from nrdfer.commands.serve import serve
from nrdfer.commands.shards import shards_app
from nrdfer.commands.store import store_app
from nrdfer.commands.train import train
from nrdfer.commands.weights import weights_app
from nrdfer.core import redaction

app = typer.Typer(
    help="NR-DFERNet, from raw video to registered model.", no_args_is_help=True, pretty_exceptions_enable=False
)
app.callback()(installed.with_version)
redaction.install()  # pretty tracebacks would show what variables hold
app.add_typer(corpus_app, name="corpus")
app.add_typer(shards_app, name="shards")
app.add_typer(weights_app, name="weights")
app.add_typer(store_app, name="store")
for name, found in installed.graph_commands().items():
    app.command(name)(found)
for command in (
    doctor,
    preprocess,
    predict,
    train,
    evaluate,
    compare,
    recipes,
    results,
    lineage,
    models,
    export,
    push,
    serve,
    demo,
):
    app.command()(command)

if __name__ == "__main__":
    app()
