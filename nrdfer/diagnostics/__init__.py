"""State of the machine for ``nrdfer doctor``: hardware, packages, ffmpeg, weights, disks, servers, one module each.

Nothing here loads torch, MLflow or Dagster, opens a database or reads a corpus: versions and builds are read from
files, servers are only connected to, and all of it takes less than a second of a processor. Checks of a corpus belong
to `nrdfer.corpora.doctor`.
"""
