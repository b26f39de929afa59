"""Put the last noise benchmark into docs/noise.md, with its pictures: part of ``make figures``.

Run the job first: ``dagster job execute -j noise_benchmark``.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from nrdfer.config.resolve import profile_of_shell
from nrdfer.noise.plots import ATTENTION_PICTURE, NEUTRAL_PICTURE, WAR_PICTURE
from nrdfer.noise.report import MARKDOWN
from nrdfer.store.pointers import last_made

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "noise.md"
MARKERS = re.compile(r"(<!-- findings -->\n).*?(<!-- end of findings -->)", re.DOTALL)


def main() -> None:
    """Copy pictures and tables."""
    folder = last_made(profile_of_shell(), "noise/benchmark", "a profile whose noise benchmark has run").path
    for name in (WAR_PICTURE, ATTENTION_PICTURE, NEUTRAL_PICTURE):
        shutil.copyfile(folder / name, PROJECT / "docs" / "pictures" / name)
    findings = (folder / MARKDOWN).read_text()
    text, changed = MARKERS.subn(lambda m: f"{m[1]}\n{findings}\n{m[2]}", PAGE.read_text())
    if changed != 1:
        raise SystemExit(f"{PAGE} has no pair of markers")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
