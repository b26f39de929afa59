"""The temperature by which a model's logits become calibrated probabilities, if its files state one.

It is fitted when a network is trained, on clips that were held out; here it is only read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrdfer.core.errors import WeightsError

#: Files beside the weights, and the block in them that is about the weights of the last epoch, which predict.
_PLACES = (("validation.json", "last"), ("calibration.json", "honest"))
_KEY = "temperature"


def read_temperature(folder: Path) -> float | None:
    """The temperature that a trained network's folder states; None if it states none.

    Raises:
        WeightsError: a file cannot be read, or the number is none by which logits can be divided.
    """
    for name, block in _PLACES:
        path = folder / name
        if not path.is_file():
            continue
        try:
            values: Any = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise WeightsError(f"{path} cannot be read as JSON ({error}); restore it, or train again") from error
        found = values.get(block) if isinstance(values, Mapping) else None
        stated = found.get(_KEY) if isinstance(found, Mapping) else None
        if stated is None:
            continue
        if isinstance(stated, bool) or not isinstance(stated, int | float) or not 0 < stated < math.inf:
            raise WeightsError(f"{path} states the temperature {str(stated)[:40]!r}; it must be a positive number")
        return float(stated)
    return None
