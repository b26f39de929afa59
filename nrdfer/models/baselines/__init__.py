"""The systems that the paper compares NR-DFERNet with (Tables 4 and 5), one file each.

Each file names its paper and, where a system has several public forms, which one reproduces the published
multiply-adds. Their losses belong to ``nrdfer.models.losses``, the list of all to ``nrdfer.models.registry``.
"""
