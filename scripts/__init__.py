"""Command-line tools of a checkout, each run as a module from the project's folder: ``python -m scripts.<name>``.

Options, order of work and output belong here; what tests, scripts or benches share is in `devtools`.
"""
