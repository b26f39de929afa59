"""Corpora: AFEW and DFEW as they lie on disk, and the rendered corpus that imitates both layouts."""
