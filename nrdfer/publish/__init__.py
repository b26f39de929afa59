"""Registering trained networks: a version's files, its model card and its input example."""
