"""Training: the recipe, the loop, checkpoints. Networks belong to ``nrdfer.models``, data to ``nrdfer.data``."""
