"""Build the documentation's site into build/site with MkDocs: ``make docs``.

    python -m scripts.docs.site [--out FOLDER]

Ends with status 1 if MkDocs warns of anything, or if a page would load something from another host. To write with a
preview on localhost: ``mkdocs serve``.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Build and check."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=PROJECT / "build" / "site", help="receives the site")
    out = parser.parse_args().out.resolve()
    os.environ["NO_MKDOCS_2_WARNING"] = "1"  # the theme's opinion of MkDocs's future, not about this site
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    from mkdocs.exceptions import MkDocsException

    from devtools.docs_site.outside_sources import outside_sources

    try:
        config = load_config(str(PROJECT / "mkdocs.yml"), strict=True, site_dir=str(out))
        config.plugins.on_startup(command="build", dirty=False)
        build(config)
    except MkDocsException as error:
        print(f"the site was not built: {error}", file=sys.stderr)
        return 1
    found = [f"{page} loads {address}" for page, address in outside_sources(out)]
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    print(f"{out}: {sum(1 for _ in out.rglob('*.html'))} pages, {len(found)} sources of other hosts")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
