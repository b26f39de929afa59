"""Profiles: every setting of one reproduction, read from YAML, checked and frozen.

What an artefact depends on belongs to the step that makes it; variables of the shell to ``nrdfer.core.environment``.
"""
