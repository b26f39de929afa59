"""WebDataset shards with an index: writing, map-style reading, reading as streams, verification.

What an image means, and which clips go together, does not belong here.
"""
