"""The demo in a real browser, as a visitor meets it: a video is dropped, watched with its timeline, and refused if bad.

Screenshots are kept in ``NRDFER_SCREENSHOTS`` (default: ``.screenshots/``).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import browser
from tests.browser.servers import PROJECT, free_port
from tests.unit.acting import act

PATIENCE = 120_000  # milliseconds; two cores that also train are slow
SHOTS = Path(os.environ.get("NRDFER_SCREENSHOTS") or PROJECT / ".screenshots")
#: A slow browser lays out the page again one picture later.
HARMLESS = ("ResizeObserver loop",)


@dataclass
class Demo:
    """A running ``nrdfer demo``."""

    address: str
    process: subprocess.Popen[bytes]
    temporary: Path  # where its private folder is
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, chromium: Any, width: int) -> Any:
        """The page in a window of that width."""
        page = chromium.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda asked: self._look(asked.url))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(self.address)
        page.wait_for_selector("input[type=file]", state="attached")
        return page

    def results(self) -> list[Path]:
        """Folders of results that are there."""
        return list(self.temporary.glob("nrdfer-demo-*/results/*"))

    def _look(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.outside.append(url)

    @property
    def complaints(self) -> list[str]:
        """What no page may do."""
        found = [error for error in self.errors if not any(word in error for word in HARMLESS)]
        return found + [f"asks for {url}" for url in self.outside]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    pytest.importorskip("gradio", reason="gradio is not installed or cannot be imported: pip install 'nrdfer[demo]'")
    folder, port = tmp_path_factory.mktemp("demo"), free_port()
    (folder / "tmp").mkdir()
    environment = {**os.environ, "NRDFER_HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    line = [sys.executable, "-m", "nrdfer.cli", "demo", "--model", "sample", "--port", str(port)]
    line += ["--retinaface", "sample", "--limit", "video_mib=50"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(line, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    made = Demo(f"http://127.0.0.1:{port}/", process, folder / "tmp")
    try:
        for _ in range(1500):
            with suppress(OSError), urllib.request.urlopen(made.address, timeout=30):  # noqa: S310
                break
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            time.sleep(0.2)
        yield made
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)
    assert list((folder / "tmp").glob("nrdfer-*")) == []  # uploads and results are gone


def shot(page: Any, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def too_wide(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def drop(page: Any, video: Path) -> None:
    page.set_input_files("input[type=file]", video)
    page.wait_for_selector("#nrdfer-timeline, .nrdfer-refusal")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_video_is_watched_with_its_timeline(demo: Demo, tmp_path: Path, width: int) -> None:
    with browser() as chromium:
        page = demo.open(chromium, width)
        drop(page, act(tmp_path / "my video.mp4", face=50, empty=25))
        page.wait_for_function("document.getElementById('nrdfer-video').readyState >= 2")
        shot(page, f"demo_{width}")
        assert "my video.mp4" in page.inner_text(".nrdfer-video")
        assert "trained on rendered faces only" in page.inner_text(".nrdfer-warning")
        page.evaluate("document.getElementById('nrdfer-video').currentTime = 1.5")
        page.wait_for_function("document.getElementById('nrdfer-now').textContent.startsWith('1.5 s: ')")
        assert page.evaluate("parseFloat(document.getElementById('nrdfer-head').style.left)") == pytest.approx(
            50, abs=2
        )
        page.click("#nrdfer-timeline", position={"x": 10, "y": 60})
        page.wait_for_function("document.getElementById('nrdfer-video').currentTime < 0.5")
        with page.expect_download() as waiting:
            page.click("text=everything (JSON)")
        assert '"people"' in waiting.value.path().read_text()
        assert not too_wide(page)
        assert len(demo.results()) == 1
        page.close()
    assert demo.complaints == []
    for _ in range(300):  # until the server has seen that the visitor has left
        if not demo.results():
            break
        time.sleep(0.2)
    assert demo.results() == []


def test_a_bad_video_has_one_clear_message(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"\0nonsense" * 500)
    with browser() as chromium:
        page = demo.open(chromium, 390)
        drop(page, tmp_path / "broken.mp4")
        shot(page, "demo_refused")
        (message,) = page.query_selector_all(".nrdfer-refusal")
        assert message.inner_text().startswith("This video cannot be used.")
        assert "/" not in message.inner_text() and "Traceback" not in page.inner_text("body")
        assert page.query_selector("#nrdfer-timeline") is None and not too_wide(page)
        page.close()
    assert demo.complaints == []


def test_the_result_of_a_real_video_fits_a_telephone(demo: Demo, shared_dir: Path) -> None:
    """With the shipped detector, which sees few real faces."""
    with browser() as chromium:
        page = demo.open(chromium, 1280)
        drop(page, shared_dir / "clips" / "pyfeat_single_face.mp4")
        shot(page, "demo_real_1280")
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(300)
        shot(page, "demo_real_390")
        assert not too_wide(page)
        page.close()
    assert demo.complaints == []
