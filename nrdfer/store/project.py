"""The store of this project's folder, with the copies that the environment names."""

from __future__ import annotations

from nrdfer.core import paths
from nrdfer.store.artifacts import Store
from nrdfer.store.copies import copies_of_environment


def project_store() -> Store:
    """The store below ``NRDFER_HOME``.

    Raises:
        StoreError: ``NRDFER_STORE_URL`` or a variable of the scratch is not valid.
    """
    return Store(paths.store_root(), copies_of_environment())
