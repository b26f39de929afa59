"""Checks before a run's first step: what would stop it after hours is found in the first minute, all of it at once.

Weights, corpora, training lists, room on the disk, devices and the network are checked as the steps will check them;
in doubt, nothing is refused. Keep out: where it is called (``pipelines/before_steps.py``), and what a machine lacks for
a first reproduction (`nrdfer.diagnostics`).
"""
