"""WebDataset shards with an index: writing, map-style reading, verification.

What an image means, and which clips go together, does not belong here.
"""
