"""The steps of the reproduction: one module a step, each a function from settings and folders to a folder.

Assets and the command line call the same functions. What belongs here: reading the inputs of a step, calling the
parts that do the work, writing the step's files. What does not: Dagster, the store, and the work itself.
"""
