"""The benchmark's files: all findings as JSON, the curves as CSV, the page, pictures.

What is found belongs to ``findings``, what the page says of it to ``page``, how it is drawn to ``plots``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrdfer.core.csv_cells import cell
from nrdfer.noise.page import page
from nrdfer.noise.plots import draw_all

JSON, CSV, MARKDOWN = "noise.json", "noise.csv", "noise.md"


def write_findings(found: Mapping[str, Any], out: Path) -> None:
    """Write everything into `out`."""
    (out / JSON).write_text(json.dumps(found, indent=1) + "\n")
    with (out / CSV).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["stage", "setting", "noise", "level", "war", "low", "high"])
        for curve in found["curves"]:
            for level, point in zip(curve["levels"], curve["points"], strict=True):
                ends = (point["value"], point["low"], point["high"])
                writer.writerow([curve["stage"], cell(curve["of"]), curve["kind"], level, *ends])
    (out / MARKDOWN).write_text(page(found, pictures=""))
    draw_all(found, out)
