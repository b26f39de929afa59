"""From a clip's frames to the network's input: which frames, which augmentation, in which order.

Reading frames belongs to ``nrdfer.shards``; what is learnt from them to ``nrdfer.training``.
"""
