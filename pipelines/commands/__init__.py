"""Commands of ``nrdfer`` that need the graph: one module each, which ``nrdfer.cli`` finds by its entry point.

Keep here: options and what is printed. Keep out: what the commands do (``job_execution``, ``pages``, ``project``).
"""
