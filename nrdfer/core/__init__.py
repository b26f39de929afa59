"""Code that every other package may use: errors, emotions, paths, atomic files, hashing, text from outside, processes.

Nothing here knows of videos, networks or MLflow runs.
"""
