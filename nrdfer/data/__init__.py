"""Clips as the network's input: which frames, which augmentation, in which order, and batches of them.

Reading frames belongs to ``nrdfer.shards``; training on them to ``nrdfer.training``.
"""
