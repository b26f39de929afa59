"""Trials that disturb a run of the job and judge what it ends in; how each disturbs it: ``scripts/chaos``."""
