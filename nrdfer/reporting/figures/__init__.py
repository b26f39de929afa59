"""The paper's figures, one module per figure, drawn from an evaluation's stored tables, arrays and histories.

Every function takes data and a path, writes one PNG and returns the numbers that the picture shows, so that caption and
picture agree. What all share belongs to ``nrdfer.plotting.style``. Keep out: networks and predicting (``evaluation``),
finding evaluations (``collect``), tables of results (``reporting``).
"""
