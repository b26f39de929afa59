"""The model as MLflow serves it: the wrapper around a trained network, and the file MLflow loads it from."""
