"""The experiments of the paper's tables: which there are, and what of them is in the store.

Keep out: training and evaluating (``training``, ``evaluation``), how results look (``reporting``).
"""
