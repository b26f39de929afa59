"""Prediction for any videos: preprocessing as in training, the network, windows over time, tables and annotated video.

What is done for a corpus belongs to ``nrdfer.preprocessing``; how a network is served, to ``nrdfer.serving``.
"""
