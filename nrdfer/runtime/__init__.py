"""The machine underneath: worker processes, GPUs, distributed training, determinism, the version of the code.

What is computed on it does not belong here.
"""
