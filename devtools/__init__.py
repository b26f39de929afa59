"""Tools for developing the project: what tests, scripts and benches share.

Part of a checkout only, never of the wheel. Import from here in ``tests/``, ``scripts/`` and ``bench/``, which do not
import each other. Keep out: anything that `nrdfer`, `assets` or `pipelines` need, and what only one of the three uses.
`pretraining` is here because it made the two sample networks, which no user of the package has to make again.
"""
