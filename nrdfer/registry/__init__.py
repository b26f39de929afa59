"""The MLflow model registry: a version for each trained checkpoint, opened only after it was checked.

A version is identified by the digest of its checkpoint. Aliases point at versions: ``fd1`` .. ``fd5`` at the folds,
``champion`` at the best honest figure. Following a version back to its sources belongs to `nrdfer.lineage`.
"""

from nrdfer.registry.aliases import CHAMPION, Challenge, challenge, point_alias
from nrdfer.registry.loading import checked_weights, find_weights
from nrdfer.registry.private_copy import private_copy
from nrdfer.registry.verified_open import Opened, open_version
from nrdfer.registry.versions import Registered, find_version, register, registered_name

__all__ = [
    "CHAMPION", "Challenge", "Opened", "Registered", "challenge", "checked_weights", "find_version", "find_weights",
    "open_version", "point_alias", "private_copy", "register", "registered_name",
]  # fmt: skip
