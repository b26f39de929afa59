"""Preprocessing of corpora: from videos and pictures to aligned, enhanced and packed clips, one module per step.

Assets and the command line call the same functions. Keep here: reading the inputs of a step, calling the
parts that do the work, writing the step's files. Keep out: Dagster, the store, and the work itself.
"""
