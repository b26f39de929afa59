"""Registration of trained networks: files of a version, model card, input example.

Opening a version, and its aliases, belong to ``nrdfer.registry``; answering with it, to ``nrdfer.serving``.
"""
