"""Take the README's pictures of the two web pages, from the last run of the sample: part of ``make figures``.

Needs a Chromium (Debian's package `chromium`, or ``NRDFER_CHROMIUM``); without one the pictures are kept, with a
message. Uses the pages of a running ``nrdfer dev``, else starts its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
PICTURES = PROJECT / "docs" / "pictures"
SIZE = {"width": 1500, "height": 560}
PATIENCE = 60_000  # milliseconds
LARGEST = 300_000  # bytes


@contextmanager
def addresses() -> Iterator[tuple[str, str]]:
    """Where Dagster's and MLflow's pages are, running."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nrdfer.cli", "dev"], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    if process.stdout is None:
        raise SystemExit("the output of nrdfer dev cannot be read")
    found: dict[str, str] = {}
    try:
        for line in process.stdout:
            name, _, rest = line.partition(" ")
            if name in ("Dagster", "MLflow") and "://" in rest:
                found[name] = rest.strip()
            if line.startswith("Ctrl-C"):
                break
        if len(found) < 2:
            raise SystemExit("the pages could not be started; try: nrdfer dev")
        yield found["Dagster"], found["MLflow"]
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def take(page: Any, name: str) -> None:
    """Keep what is seen, small enough for a repository."""
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    if path.stat().st_size > LARGEST:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes, more than {LARGEST}")
    print(f"{path.relative_to(PROJECT)}: {path.stat().st_size} bytes")


def take_dagster(page: Any, address: str) -> None:
    """The graph with its groups, and their list beside it."""
    page.goto(f"{address}/asset-groups")
    page.locator("foreignObject").get_by_text("step_6_report").first.wait_for()
    page.get_by_role("button", name="Materialize all").wait_for()
    # the list beside the graph covers a part of it, until it is fitted again
    page.locator('button:has([aria-label="zoom_out"])').click()
    take(page, "dagster")


def take_mlflow(page: Any, address: str) -> None:
    """A version of the registry, without what MLflow offers to every new browser."""
    page.add_locator_handler(
        page.get_by_role("button", name="Try it now"), lambda: page.get_by_role("button", name="Close").last.click()
    )
    page.goto(address)
    page.get_by_role("button", name="Model training").click()
    page.get_by_role("link", name="Model registry").click()
    page.get_by_role("link", name="nr-dfernet-dfew", exact=True).hover()
    assistant = page.get_by_role("button", name="Close")
    if assistant.count():
        assistant.first.click()
        assistant.first.wait_for(state="detached")
    page.get_by_role("link", name="nr-dfernet-dfew", exact=True).click()
    page.get_by_role("link", name="Version 1", exact=True).click()
    page.get_by_text("Honest protocol").first.wait_for()
    take(page, "mlflow")


def main() -> None:
    """Take both."""
    asked = os.environ.get("NRDFER_CHROMIUM")
    chromium = next(filter(None, map(shutil.which, [asked] if asked else ["chromium", "google-chrome"])), None)
    if chromium is None:
        print("no Chromium: the pictures of the two web pages stay as they are", file=sys.stderr)
        return
    from playwright.sync_api import sync_playwright

    with addresses() as (dagster, mlflow), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
        page = browser.new_context(viewport=SIZE).new_page()
        page.set_default_timeout(PATIENCE)
        take_dagster(page, dagster)
        take_mlflow(page, mlflow)
        browser.close()


if __name__ == "__main__":
    main()
