"""Write docs/noise.md from the last noise benchmark, with its pictures and figures: part of ``make figures``.

Run the job first: ``dagster job execute -j noise_benchmark``. Where it has not run yet, ``--without`` writes the page
that says so.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from nrdfer.config.resolve import profile_of_shell
from nrdfer.noise.page import PICTURES, page
from nrdfer.noise.report import JSON
from nrdfer.store.pointers import last_made

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "noise.md"
FIGURES = PROJECT / "docs" / "noise.json"


def main() -> None:
    """Copy pictures and figures, and write the page."""
    if sys.argv[1:] == ["--without"]:
        FIGURES.unlink(missing_ok=True)
        PAGE.write_text(page(None))
        return
    folder = last_made(profile_of_shell(), "noise/benchmark", "a profile whose noise benchmark has run").path
    for name in PICTURES:
        shutil.copyfile(folder / name, PROJECT / "docs" / "pictures" / name)
    shutil.copyfile(folder / JSON, FIGURES)
    PAGE.write_text(page(json.loads(FIGURES.read_text())))


if __name__ == "__main__":
    main()
