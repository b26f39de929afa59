"""The machine underneath: processes, GPUs, distributed training, determinism, and the version of the code."""
