"""Training of the two sample networks that ship with the project, on rendered faces.

The networks themselves belong to ``nrdfer.faces`` and ``nrdfer.enhance``.
"""
