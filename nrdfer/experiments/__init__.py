"""The experiments of the paper's tables: their catalogue, and their results in the store.

Keep out: training and evaluating (``training``, ``evaluation``), how results look (``reporting``).
"""
