"""Profiles: the settings of one reproduction, where they are found, and what was set in the shell."""
