"""The paper's figures, one module a figure, drawn from what an evaluation stored: tables, arrays and histories.

Every function takes data and a path, writes one PNG and returns the numbers that the picture shows, so that a caption
says what the picture says. What all share belongs to ``nrdfer.plotting.style``. Keep out: networks and predicting
(``evaluation``), which evaluations there are and where they lie (``collect``), tables of results (``reporting``).
"""
