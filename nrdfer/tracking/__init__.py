"""MLflow: the client, what was logged while its server was away, and the addresses of its pages."""
