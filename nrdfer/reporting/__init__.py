"""The report: the paper's tables and figures from stored predictions, compared with the published ones.

Keep out: training and predicting (``training``, ``evaluation``), which steps there are (``assets``).
"""
