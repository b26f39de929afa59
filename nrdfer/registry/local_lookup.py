"""Look-up of a model's name in MLflow's own file, so that a model that is not there is reported without loading MLflow.

Only what is certain is answered here; everything else is left to ``verified_open``.
"""

from __future__ import annotations

import contextlib
import sqlite3

from nrdfer.core import paths
from nrdfer.core.addresses import sqlite_path
from nrdfer.core.errors import WeightsError
from nrdfer.registry.addresses import parse_address


def refuse_absent(model: str) -> None:
    """Refuse the address of a version whose model this project's own database surely does not have.

    Raises:
        WeightsError: the address cannot be read, or there is no such model.
    """
    address = parse_address(model)
    path = sqlite_path(paths.tracking_uri())
    if path is None:
        return
    if not path.exists():
        if path.absolute() != paths.home() / "mlflow.db":
            raise WeightsError(
                f"no model {address}: the registry that MLFLOW_TRACKING_URI names, {path}, is not there; mount its "
                "disk, or correct the variable"
            )
        raise WeightsError(
            f"no model {address}: nothing is registered yet ({path}); `nrdfer reproduce` registers models"
        )
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1)) as database:
            found = database.execute("SELECT 1 FROM registered_models WHERE name = ?", (address.name,)).fetchone()
            known = [name for (name,) in database.execute("SELECT name FROM registered_models ORDER BY name LIMIT 20")]
    except (sqlite3.Error, UnicodeError):  # it is being made, is locked or is damaged: MLflow says which
        return
    if found is None:
        there = f"registered are {', '.join(map(repr, known))}" if known else "nothing is registered yet"
        raise WeightsError(
            f"no model {address} in this project's registry: {there}; `nrdfer reproduce` registers models"
        )
