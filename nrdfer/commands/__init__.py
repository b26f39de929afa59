"""The commands of ``nrdfer``, one module per noun; ``nrdfer.cli`` assembles them.

A command is one call of the library and the output that is printed. Work does not belong here, and imports that would
slow down ``--help`` are inside the commands.
"""
