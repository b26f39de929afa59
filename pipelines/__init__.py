"""How it is run: the Dagster definitions, jobs, executor, resources, repair and profiles.

Keep out: assets (``assets/``) and any computation (``nrdfer/``).
"""
