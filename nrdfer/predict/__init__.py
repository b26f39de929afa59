"""Videos to emotions: the preprocessing of the training, the network, windows over time, and what is shown of them.

What is done for a corpus belongs to ``nrdfer.preprocessing``; how a network is served, to ``nrdfer.serving``.
"""
