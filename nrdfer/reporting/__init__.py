"""The report: the paper's tables and figures from stored predictions, set beside what was published.

Keep out: training and predicting (``training``, ``evaluation``), which steps there are (``assets``).
"""
