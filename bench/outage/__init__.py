"""A tracking server that can be taken away, and a look at what it has of a training's log."""
