"""Looking at a page with a real Chromium that has no network: what a reader would see, and what would annoy one.

The browser is Debian's or the user's own; none is downloaded. What a page must fulfil belongs to its test.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
VARIABLE = "NRDFER_CHROMIUM"
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_QUESTIONS = """() => {
  const root = document.documentElement;
  const own = (e) => [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
  const texts = [...document.body.querySelectorAll("*")].filter((e) => own(e) && e.getClientRects().length);
  const size = (e) => parseFloat(getComputedStyle(e).fontSize);
  return {
    scroll_width: root.scrollWidth,
    client_width: root.clientWidth,
    body_font: size(document.body),
    smallest_font: Math.min(...texts.map(size)),
    pictures: [...document.images].map((i) => ({alt: i.alt, natural_width: i.naturalWidth, width: i.clientWidth})),
    text: document.body.innerText,
  };
}"""


@dataclass(frozen=True)
class Report:
    """What was seen of one page at one width."""

    width: int
    errors: tuple[str, ...]  # of the console and of the page
    requests: tuple[str, ...]  # of anything but files and data: there must be none
    scroll_width: int
    client_width: int
    body_font: float  # pixels
    smallest_font: float
    pictures: tuple[dict[str, Any], ...]  # alt, natural_width, width
    text: str  # that is shown
    screenshot: Path  # of the whole page

    @property
    def complaints(self) -> list[str]:
        """What no page may do, in words; empty if all is well."""
        found = [f"error: {error}" for error in self.errors]
        found += [f"asks the network for {url}" for url in self.requests]
        if self.scroll_width > self.client_width:
            found.append(f"is {self.scroll_width} px wide in a window of {self.client_width} px")
        if self.body_font < 14:
            found.append(f"its text is {self.body_font} px high")
        found += [f"the picture {p['alt']!r} was not loaded" for p in self.pictures if not p["natural_width"]]
        return found


def find_chromium() -> str:
    """The browser's path; the test is skipped if there is none."""
    asked = os.environ.get(VARIABLE)
    found = next(filter(None, map(shutil.which, [asked] if asked else NAMES)), None)
    if found is None:
        pytest.skip(
            f"no browser: {VARIABLE}={asked} is not one" if asked else f"no browser: none of {', '.join(NAMES)}"
        )
    return found


@contextmanager
def browser() -> Iterator[Any]:
    """A Chromium, driven by Playwright; the test is skipped if either is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[dev]'")
    path = find_chromium()
    with sync_api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield started
        finally:
            started.close()


def look_at(path: Path, folder: Path, width: int, *, dark: bool = False, height: int = 900) -> Report:
    """Open a file in a window of that width and look at all of it.

    Args:
        path: of the HTML file.
        folder: for the screenshot, which is named after file and width.
        width: of the window, pixels.
        dark: whether the reader prefers dark pages.
        height: of the window, pixels.
    """
    errors: list[str] = []
    requests: list[str] = []

    def guard(route: Any) -> None:
        url = route.request.url
        if url.startswith(("file:", "data:")):
            route.continue_()
        else:
            requests.append(url)
            route.abort()

    with browser() as chromium:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        context.set_offline(True)
        context.route("**/*", guard)
        page = context.new_page()
        page.on(
            "console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.resolve().as_uri(), wait_until="load")
        seen = page.evaluate(_QUESTIONS)
        shot = folder / f"{path.stem}_{width}{'_dark' if dark else ''}.png"
        page.screenshot(path=shot, full_page=True)
    return Report(
        width, tuple(errors), tuple(requests), **seen | {"pictures": tuple(seen["pictures"])}, screenshot=shot
    )
