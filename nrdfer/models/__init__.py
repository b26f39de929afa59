"""Networks: NR-DFERNet, one file an idea, and the registry that builds a network from a name and settings.

Training, data and checkpoints do not belong here.
"""
