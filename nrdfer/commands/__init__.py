"""The commands of ``nrdfer``, one module a noun; ``nrdfer.cli`` puts them together.

A command is one call of the library and what is printed of it. Work does not belong here, and imports that a user would
pay for when asking for ``--help`` stand inside the commands.
"""
