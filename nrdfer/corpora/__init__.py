"""Corpora: AFEW and DFEW as they are on disk, and the rendered corpus that imitates both layouts.

Finding clips, labels and folds belongs here, and the rendering of the corpus that needs no licence. Decoding videos
(`nrdfer.video`), cutting faces out (`nrdfer.preprocessing.videos`) and packing clips (`nrdfer.shards`) do not.
"""
