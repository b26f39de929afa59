"""File names in the folder of a trained network, the same in the store, in a user's folder and in the registry.

Only names belong here, so that code that only locates a file need not load torch. Writing and reading the files belongs
to ``saved_model``.
"""

from __future__ import annotations

LAST = "last.safetensors"  # weights after the last epoch: honest protocol
BEST = "best.safetensors"  # weights of the epoch with the best filtered WAR on the test clips: paper protocol
VALIDATED = "validated.safetensors"  # weights of the best epoch on held-out training clips: validated protocol
VALIDATION = "validation.json"  # the held-out clips, and what was chosen on them; both files only if some were
HISTORY = "history.jsonl"  # a line an epoch
MODEL = "model.json"  # the network's name and settings, and the recipe
NETWORK = "network.py"  # the user's file that defines the network, if one does; for reading, never run from there
