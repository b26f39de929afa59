"""Dagster assets: the nodes of the graph, one module a stage, each a thin wrapper around the library.

Keep here: names, dependencies, groups, descriptions, metadata. Keep out: how anything is computed (``nrdfer/``) and
how it is run (``pipelines/``). Nothing here imports torch when it is loaded.
"""
