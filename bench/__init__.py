"""Measurements, each run as a module from the project's folder: ``python -m bench.<name>``, or all by ``make bench``.

Options and output belong here; what tests or scripts need as well is in `devtools`.
"""
