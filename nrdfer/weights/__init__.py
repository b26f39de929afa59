"""Pinned third-party weights: what each file is, and where it is found."""
