"""Training of the two sample networks that ship with the project, on rendered faces.

Run from a checkout when the networks or the rendered faces change; the networks themselves belong to ``nrdfer.faces``
and ``nrdfer.enhance``, the trained files to ``nrdfer.weights``.
"""
