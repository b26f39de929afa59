"""The noise benchmark: what noisy frames do to networks, measured on clips whose every frame is known.

Keep out: how faces are rendered (``corpora.synthetic``) and how networks learn (``training``).
"""
