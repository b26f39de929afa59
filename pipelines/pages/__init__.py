"""The pages of Dagster and MLflow on this machine, both at once: their servers, their ports, and serving them."""
