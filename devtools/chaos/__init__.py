"""Trials that disturb a run of the job and judge its result; the disturbances belong to ``scripts/chaos``."""
