"""The library: every stage of the NR-DFERNet reproduction, usable from Python, the command line and a notebook.

It never imports Dagster (``assets/`` and ``pipelines/`` do), and importing this package imports nothing heavy:
torch, OpenCV and MLflow are imported by the modules that need them.
"""
