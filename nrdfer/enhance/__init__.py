"""Low-light enhancement of face crops: EnlightenGAN's generator, and running it.

Detecting and cropping faces does not belong here: enhancement takes crops that are already aligned, which
costs a small fraction of enhancing whole frames.
"""
