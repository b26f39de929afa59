"""Corpora: DFEW, AFEW and further ones as they are on disk, and the rendered corpora that imitate their layouts.

Finding clips, labels and folds belongs here, and the rendering of corpora that need no licence. Decoding videos
(`nrdfer.video`), cutting faces out (`nrdfer.preprocessing.videos`) and packing clips (`nrdfer.shards`) do not.
"""
