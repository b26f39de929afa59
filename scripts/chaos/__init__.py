"""Runs that are killed, starved of disk or started twice, one kind of disturbance a module: ``make chaos-...``."""
