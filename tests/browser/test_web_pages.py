"""Both web pages in a real browser, as a first-time user meets them: see the graph, launch the job, look, follow links.

The project is the one that all end-to-end tests share, so a launch finds everything up to date. What is seen is kept as
screenshots in ``NRDFER_SCREENSHOTS`` (default: ``.screenshots/``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from assets import asset_groups
from tests.browser.chromium import browser, find_chromium
from tests.browser.servers import PROJECT, web_pages

Reproduced = tuple[Path, dict[str, str], str]
PATIENCE = 60_000  # milliseconds until something must be seen; two cores that also train are slow
RUNNING = 900_000  # until a run has ended that finds everything up to date
#: Answers that the pages' own code asks for although there is nothing; no fault of ours, and nobody sees it.
#: "ResizeObserver loop" says that a slow browser lays out the page again one picture later.
HARMLESS = re.compile(r"status of 404|go\.apollo\.dev|preload|ResizeObserver loop")


@dataclass
class Visit:
    """A browser's window, and what went on in it."""

    page: Any
    dagster: str
    mlflow: str
    outside: list[str] = field(default_factory=list)  # addresses elsewhere that were asked for; none was reached
    errors: list[str] = field(default_factory=list)  # of the console and of scripts
    shots: Path = Path(os.environ.get("NRDFER_SCREENSHOTS") or PROJECT / ".screenshots")

    def shot(self, name: str) -> None:
        """Keep what is seen now."""
        self.shots.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self.shots / f"{name}.png")

    def see(self, text: str | re.Pattern[str], patience: int = PATIENCE) -> Any:
        """Wait until a text is seen; returns where."""
        found = self.page.get_by_text(text).filter(visible=True).first
        found.wait_for(timeout=patience)
        return found


@pytest.fixture(scope="module")
def visit(reproduced: Reproduced) -> Iterator[Visit]:
    find_chromium()  # skips before any server is started
    folder, environment, _ = reproduced
    with web_pages(folder, environment) as pages, browser() as chromium:
        dagster, mlflow = pages.address("Dagster"), pages.address("MLflow")
        context = chromium.new_context(viewport={"width": 1500, "height": 950})
        context.set_default_timeout(PATIENCE)
        found = Visit(context.new_page(), dagster, mlflow)

        def guard(route: Any) -> None:
            url = route.request.url
            if url.startswith((dagster, mlflow, "data:", "blob:")):
                route.continue_()
            else:
                found.outside.append(url)
                route.abort()

        def complain(told: Any) -> None:
            if not HARMLESS.search(str(told.error)):
                found.errors.append(str(told.error))

        def listen(message: Any) -> None:
            if message.type == "error" and not HARMLESS.search(message.text):
                found.errors.append(message.text)

        context.route("**/*", guard)
        context.on("console", listen)
        context.on("weberror", complain)
        yield found
        context.close()


def test_the_graph_tells_its_story(visit: Visit) -> None:
    visit.page.goto(visit.dagster)
    visit.page.locator('a[href="/asset-groups"]').first.click()
    for group in (*asset_groups.MAIN, *asset_groups.BESIDE):
        visit.see(group.name)
    visit.shot("dagster_graph")
    visit.see(asset_groups.SHARDS.name).dblclick()  # opens it
    for name in ("folds", "shards"):
        visit.see(re.compile(rf"^{name}$"))
    visit.shot("dagster_graph_opened")
    visit.page.goto(f"{visit.dagster}/locations/nrdfer/asset-groups/{asset_groups.SHARDS.name}")
    visit.see("Passed")  # the state of checks, on the boxes
    visit.shot("dagster_group")


def test_runs_of_the_command_line_are_on_the_timeline_and_under_their_job(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{visit.dagster}/overview/activity/timeline")
    visit.see("full_reproduction")
    assert not page.get_by_text("No runs or scheduled ticks").filter(visible=True).count()
    visit.shot("dagster_overview")
    page.goto(f"{visit.dagster}/locations/nrdfer/jobs/full_reproduction/runs")
    visit.see(re.compile(r"^Success$"))
    assert not page.get_by_text("No runs found").filter(visible=True).count()
    visit.shot("dagster_job_runs")


def test_a_job_is_launched_from_the_launchpad_and_succeeds(visit: Visit) -> None:
    page = visit.page
    page.locator('a[href="/jobs"]').first.click()
    page.get_by_role("link", name="full_reproduction").first.click()
    visit.see("Everything, from raw video to the report.")
    visit.shot("dagster_job")
    page.get_by_role("button", name="Materialize all").locator("xpath=following::button[1]").click()
    page.get_by_role("menuitem", name="Open launchpad").click()
    visit.see("No errors")  # and no question whether one is sure
    visit.see(re.compile("^profile"))
    visit.shot("dagster_launchpad")
    page.locator("button").filter(has_text=re.compile("^Materialize$")).last.click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    visit.see(re.compile(r"^(Starting|Started)$"))
    visit.shot("dagster_run_begins")
    visit.see(re.compile(r"^(Success|Failure)$"), RUNNING)
    visit.shot("dagster_run")
    visit.see(re.compile(r"^Success$"))


def test_an_asset_shows_its_picture_its_plots_and_its_source(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{visit.dagster}/assets/dfew/fd1/evaluation")
    visit.see("Made of")
    for said in (
        asset_groups.EVALUATION.name,
        asset_groups.EVALUATION.owner.removeprefix("team:"),
        "evaluation.py",
        "war_honest",
    ):
        visit.see(said)
    visit.see(re.compile(r"assets/evaluation\.py:\d+$"))  # of the materialisation
    keys = page.locator("tbody tr td:first-child").all_inner_texts()
    shown = [key.strip() for key in keys if key.strip() in ("result", "war_honest", "mlflow_run", "path", "digest")]
    assert shown == ["result", "war_honest", "mlflow_run", "path", "digest"]
    visit.see(re.compile(r"^\d+\.\d\d %$"))  # the table of figures, without a click
    small = page.locator('tr img[src^="data:image/png"]').first
    assert small.evaluate("e => e.decode().then(() => e.naturalWidth)") == 168
    visit.shot("dagster_asset")
    row = page.locator("tr", has=page.get_by_text("confusion", exact=True))
    row.get_by_text("Show Markdown").first.click()
    picture = page.locator('img[alt="confusion_honest"]').first
    picture.wait_for()
    assert picture.evaluate("e => e.decode().then(() => e.naturalWidth)") > 300
    visit.shot("dagster_picture")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Plots").click()
    visit.see("uar_honest")
    page.locator("canvas").first.wait_for()
    visit.shot("dagster_plots")


def test_mlflow_shows_the_models_and_leads_back_to_dagsters_run(visit: Visit) -> None:
    page = visit.page
    # MLflow greets every new browser with an advertisement, and no setting of its server prevents it
    page.add_locator_handler(
        page.get_by_role("button", name="Try it now"), lambda: page.get_by_role("button", name="Close").last.click()
    )
    page.goto(visit.mlflow)
    page.get_by_role("button", name="Model training").click()  # its registry is not shown beside language models
    page.get_by_role("link", name="Model registry").click()
    page.get_by_role("link", name="nr-dfernet-afew", exact=True).hover()  # nothing covers it
    visit.see("champion")
    visit.shot("mlflow_models")
    page.get_by_role("link", name="nr-dfernet-dfew", exact=True).click()
    visit.see(re.compile("fd5$"))
    visit.shot("mlflow_model")
    page.get_by_role("link", name="Version 1", exact=True).click()
    visit.see("dagster.run_id")
    visit.see("Honest protocol")
    visit.shot("mlflow_version")
    link = page.get_by_role("link", name="this Dagster run")
    target = link.get_attribute("href")
    assert re.fullmatch(rf"{re.escape(visit.dagster)}/runs/[0-9a-f-]{{36}}", target)
    page.goto(target)
    visit.see(target.rsplit("/")[-1][:8])
    visit.see(re.compile(r"^Success$"))
    visit.see("full_reproduction")
    page.get_by_text("Loading run logs").wait_for(state="hidden")
    visit.shot("dagster_run_of_a_model")


def test_the_run_in_mlflow_that_dagster_links_to_shows_its_curves(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{visit.dagster}/assets/dfew/fd1/evaluation")
    target = page.locator(f'a[href^="{visit.mlflow}"]').first
    target.wait_for()
    page.goto(target.get_attribute("href"))
    visit.see("dfew/fd1/training")
    visit.see("Finished")
    visit.shot("mlflow_run")
    page.get_by_role("tab", name="Model metrics").click()
    page.locator(".js-plotly-plot").first.wait_for()
    for curve in ("test_uar", "test_war", "train_loss"):  # before those that have a prefix
        visit.see(curve)
    visit.shot("mlflow_curves")


def test_the_run_of_the_whole_graph_has_figures_settings_and_its_trainings(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{visit.mlflow}/#/experiments/1/runs?workflowType=machine_learning")  # as `nrdfer dev` prints it
    # the oldest: those that found everything up to date have no trainings of their own
    page.get_by_role("link", name=re.compile("^full_reproduction tiny ")).last.click()
    visit.see("Finished")
    visit.see("dfew/war_mean_honest")
    visit.see("afew/uar_paper")
    for name in ("dfew/fd1/training", "afew/training"):
        visit.see(name)
    visit.shot("mlflow_parent")


def test_the_report_opens_from_dagster_in_mlflow(visit: Visit) -> None:
    """At 1280 pixels: on a telephone neither page is readable, whatever it shows; the report itself is."""
    page = visit.page
    page.set_viewport_size({"width": 1280, "height": 950})
    page.goto(f"{visit.dagster}/assets/report")
    link = page.locator(f'a[href*="/artifacts/report/"][href^="{visit.mlflow}"]').first
    link.wait_for(state="attached")
    page.goto(link.get_attribute("href"))
    page.frame_locator("iframe").get_by_text("NR-DFERNet: results").first.wait_for()
    visit.shot("mlflow_report")
    page.set_viewport_size({"width": 1500, "height": 950})


def test_no_page_asked_anybody_else_and_none_complained(visit: Visit) -> None:
    assert visit.page.url.startswith(visit.mlflow)  # the tests above have been there
    assert visit.outside == []
    assert visit.errors == []
