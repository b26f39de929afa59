"""Trials with killed processes, full disks and concurrent runs, one disturbance per module: ``make chaos-...``."""
