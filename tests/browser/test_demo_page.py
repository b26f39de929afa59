"""The demo in a real browser, as a visitor meets it: a video is dropped, watched with its timeline, and refused if bad.

Screenshots are kept in ``NRDFER_SCREENSHOTS`` (default: ``.screenshots/``).
"""

from __future__ import annotations

import csv
import json
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

from devtools.planted_people import plant
from nrdfer.video.ffmpeg import ffmpeg_executable, passthrough_option
from tests.browser.chromium import browser
from tests.browser.servers import PROJECT, free_port
from tests.unit.acting import act
from tests.unit.odd_videos import X264, ffmpeg

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


def found_in(demo: Demo) -> dict[str, Any]:
    """The newest result as JSON."""
    newest = max(
        demo.temporary.glob("nrdfer-demo-*/results/*/*/prediction.json"), key=lambda path: path.stat().st_mtime
    )
    found: dict[str, Any] = json.loads(newest.read_text())
    return found


def words_of(row: dict[str, Any]) -> str:
    """What the page says of a window."""
    if row["answer"]:
        return f"{row['answer']['emotion']} {100 * row['answer']['probability']:.0f} %"
    return str(row["label"]).replace("_", " ")


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


def test_a_person_is_chosen(demo: Demo, tmp_path: Path) -> None:
    """Of two rendered people in two shots, each in turn: own timeline, colour, picture and files."""
    video = tmp_path / "two.avi"
    plant(video, people=2, cuts=1, seed=4)
    with browser() as chromium:
        page = demo.open(chromium, 1280)
        drop(page, video)
        first, second = found_in(demo)["people"]
        choices = page.get_by_role("radio")
        choices.nth(1).wait_for()
        assert choices.count() == 2
        for person, suffix in ((first, ""), (second, "_2")):
            choices.nth(person["person"] - 1).check()
            page.wait_for_function(
                "colour => document.querySelector('.nrdfer-person').style.getPropertyValue('--person') === colour",
                arg=person["colour"],
            )
            page.wait_for_function(f"document.querySelector('.nrdfer-strip')?.src.endsWith('/strip{suffix}.png')")
            page.wait_for_function("document.querySelector('.nrdfer-strip').naturalWidth > 500")
            shown = page.eval_on_selector_all(".piece", "all => all.map(one => one.dataset.words)")
            assert list(dict.fromkeys(shown)) == list(dict.fromkeys(words_of(row) for row in person["timeline"]))
            assert page.locator(f"a[download='timeline{suffix}.csv']").count() == 1
            assert page.locator(".nrdfer-downloads a[href*=strip]").count() == 1
            shot(page, f"demo_person_{person['person']}")
        with page.expect_download() as waiting:
            page.click("a[download='timeline_2.csv']")
        rows = list(csv.DictReader(waiting.value.path().read_text().splitlines()))
        assert [row["emotion"] for row in rows] == [
            row["answer"]["emotion"] if row["answer"] else "" for row in second["timeline"]
        ]
        page.set_viewport_size({"width": 390, "height": 844})
        assert not too_wide(page)
        page.close()
    assert demo.complaints == []


def test_the_timeline_follows_the_playback_where_the_frame_rate_varies(demo: Demo, tmp_path: Path) -> None:
    """25 frames in the first second, then 5 a second: at 3 of 5 seconds three quarters of the frames have passed."""
    even, uneven = act(tmp_path / "even.mp4", face=30, empty=15), tmp_path / "uneven.mp4"
    times = "setpts='if(lt(N,25),N/25,1+(N-25)/5)/TB'"
    passthrough = (f"-{passthrough_option(ffmpeg_executable())}", "passthrough", "-enc_time_base", "1:1000")
    ffmpeg("-i", even, "-vf", times, *passthrough, *X264, uneven)
    with browser() as chromium:
        page = demo.open(chromium, 1280)
        drop(page, uneven)
        found = found_in(demo)
        assert found["frames"] == 45 and found["end_s"] == pytest.approx(5, abs=0.3)
        page.wait_for_function("document.getElementById('nrdfer-video').readyState >= 2")
        length = page.evaluate("document.getElementById('nrdfer-video').duration")
        assert length == pytest.approx(found["end_s"], abs=0.3)
        for second in (0.5, 3.1):
            page.evaluate(f"document.getElementById('nrdfer-video').currentTime = {second}")
            page.wait_for_function(f"document.getElementById('nrdfer-now').textContent.startsWith('{second} s: ')")
            head = page.evaluate("parseFloat(document.getElementById('nrdfer-head').style.left)")
            assert head == pytest.approx(100 * second / found["end_s"], abs=1.5)
            near = min(found["timeline"], key=lambda row: abs((row["start_s"] + row["end_s"]) / 2 - second))
            assert page.inner_text("#nrdfer-now") == f"{second} s: {words_of(near)}"
        shot(page, "demo_variable_rate")
        page.close()
    assert demo.complaints == []


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
