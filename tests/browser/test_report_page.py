"""The report's page in a real browser without a network, in a wide window and on a telephone."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.reporting import page as report_page
from nrdfer.reporting.page import Picture, Section, write_page
from tests.browser.chromium import Report, look_at
from tests.unit.reporting.made_up import components, rivals, thresholds

DIGEST = "d1" * 32


def pictures(folder: Path) -> tuple[Picture, ...]:
    """A square picture and a wide one, as the project draws them."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    made = []
    for name, size in (("matrix", (6.4, 5.6)), ("second matrix", (6.4, 5.6)), ("curves", (10.0, 3.8))):
        figure, axes = plt.subplots(figsize=size, dpi=110)
        axes.plot([1, 2, 3], [40, 52, 54], marker="o")
        axes.set_xlabel("epoch")
        axes.set_ylabel("WAR, %")
        figure.tight_layout()
        figure.savefig(folder / f"{name}.png")
        plt.close(figure)
        made.append(Picture(folder / f"{name}.png", name.capitalize(), "Made up, from three points.", f"a {name}"))
    return tuple(made)


def sample_page(folder: Path, *, comparable: bool = True) -> Path:
    """A page with everything that a page may have."""
    path = folder / ("report.html" if comparable else "rendered.html")
    said = (
        "`paper` picks the best epoch on the test fold, as published figures do; `honest` picks nothing. DFEW is "
        "evaluated on the clips whose faces are distributed (11,697 of 12,059)."
        if comparable
        else "These clips are rendered: they show that every stage works, and nothing of how well on real faces."
    )
    sections = (
        Section(
            "tables", "The paper's tables", "Each figure stands beside the published one.", (components(), rivals())
        ),
        Section(
            "supplement",
            "Supplement",
            "What the paper mentions and does not print.",
            (thresholds(),),
            pictures(folder),
            open="Figure 6 is not there: no features were kept. It is made by\n\n    nrdfer experiments run figure_6",
        ),
        Section(
            "provenance",
            "Provenance",
            "What this was made from.",
            facts=(("dfew/folds", DIGEST), ("profile", "paper"), ("a path", "/".join(["a_long_folder_name"] * 12))),
        ),
    )
    subtitle = "Profile paper: DFEW in five folds, AFEW's validation split"
    write_page(path, report_page.Report("NR-DFERNet, reproduced", subtitle, said, comparable, sections))
    return path


@pytest.fixture(scope="module", params=[1280, 390])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp(f"page_{request.param}")
    return look_at(sample_page(folder), folder, request.param)


def test_nothing_is_wrong_with_it(seen: Report) -> None:
    assert seen.complaints == []
    assert seen.smallest_font >= 14


def test_pictures_are_there_and_large_enough_to_read(seen: Report) -> None:
    assert [picture["alt"] for picture in seen.pictures] == ["a matrix", "a second matrix", "a curves"]
    assert min(picture["width"] for picture in seen.pictures) > 500  # on a telephone they move in their frame


def test_what_was_measured_is_shown(seen: Report) -> None:
    assert "What may be compared with the paper" in seen.text
    assert "51.79\n50.58–53.13" in seen.text.replace("\t", "\n")  # UAR of NR-DFERNet in made_up's Table 5
    assert DIGEST in seen.text
    assert seen.screenshot.stat().st_size > 50_000


@pytest.mark.parametrize("width", [1280, 390])
def test_a_rendered_corpus_is_not_compared(tmp_path: Path, width: int) -> None:
    found = look_at(sample_page(tmp_path, comparable=False), tmp_path, width)
    assert found.complaints == []
    assert "Not comparable with the paper" in found.text
    assert found.text.count("Nothing in this table is comparable") == 3
    assert "difference\n" not in found.text.replace("\t", "\n")


def test_a_dark_page_is_as_sound(tmp_path: Path) -> None:
    assert look_at(sample_page(tmp_path), tmp_path, 1280, dark=True).complaints == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('<img src="https://example.org/a.png" alt="far">', "asks the network for https://example.org/a.png"),
        ('<img src="missing.png" alt="gone">', "the picture 'gone' was not loaded"),
        ("<script>throw new Error('broken')</script>", "error: broken"),
        ('<div style="width:5000px">wide</div>', "px wide in a window of 1280 px"),
        ('<body style="font-size:9px">small', "its text is 9 px high"),
    ],
)
def test_the_look_finds_what_it_looks_for(tmp_path: Path, body: str, complaint: str) -> None:
    """A page with one fault each: what finds no fault in the report can find one."""
    path = tmp_path / "faulty.html"
    path.write_text(f"<!DOCTYPE html><title>x</title>{body}")
    assert any(complaint in found for found in look_at(path, tmp_path, 1280).complaints)
