"""Parts of the training's bench: the two ways to train, their clocks, and what a GPU is asked besides."""
