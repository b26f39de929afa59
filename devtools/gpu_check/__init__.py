"""The check of a machine with a GPU: what only a GPU can show, in minutes, as one JSON; see ``scripts/gpu_check.py``.

``checks`` and ``training_checks`` hold single properties, each of which also runs on a CPU as a stand-in;
``measurements`` and ``kernels`` how fast it is; ``part`` runs one of the parts in a process of its own, and
``supervisor`` all of them, each within its time, whatever becomes of the others.
"""
