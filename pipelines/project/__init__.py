"""The project's folder: finding it, what it needs to hold, and the environment of its commands.

`dagster.yaml` and `workspace.yaml` are here as they are in the repository's root, because a wheel holds packages only;
a test compares them.
"""
