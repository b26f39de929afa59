"""Publication of trained networks, in the registry and on the hub: files of a version, model card, input example.

Opening a version, and its aliases, belong to ``nrdfer.registry``; answering with it, to ``nrdfer.serving``.
"""
