"""Dagster definitions: jobs, executor, instance, repair, resources, sensors, checks and profiles.

Keep out: assets (``assets/``) and any computation (``nrdfer/``).
"""
