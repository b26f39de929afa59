"""MLflow: its client and database, the log of a training, and uploads that outlive an unreachable server.

Registered models belong to ``nrdfer.registry``.
"""
