"""The report's page as text: it needs nothing else, says first what is comparable, and is sound HTML."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from nrdfer.core.errors import NrdferError
from nrdfer.reporting.page import Picture, Report, Section, write_page
from nrdfer.reporting.prose import inline, prose
from tests.unit.reporting.made_up import components, rivals, thresholds

VOID = {"meta", "link", "img", "wbr"}


class Elements(HTMLParser):
    """Every element of a page in order, with its attributes; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), tag
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    path = tmp_path / "matrix.png"
    assert cv2.imwrite(str(path), np.full((20, 30, 3), 200, np.uint8))
    return Picture(path, "A <matrix>", "Of `dfew/fd1` & others.", 'rows "true", columns <predicted>')


def page(out: Path, *sections: Section, comparable: bool = True, statement: str = "All of it.") -> str:
    write_page(out / "report.html", Report("Results <b>", "of a & b", statement, comparable, sections))
    return (out / "report.html").read_text(encoding="utf-8")


def full(picture: Picture) -> tuple[Section, ...]:
    return (
        Section("tables", "The <i>tables", "First & second.\n\nAnother.", (components(), rivals())),
        Section("more", "More", "", (thresholds(),), (picture,), (("name <x>", "a<b"), ("digest", "ab12" * 16)), "No."),
    )


def test_it_is_sound_and_headings_are_in_order(tmp_path: Path, picture: Picture) -> None:
    elements = Elements(page(tmp_path, *full(picture)))
    assert elements.named("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in elements.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels == [1, 2, 2, 3, 3, 2, 3]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in elements.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert len(elements.named("th")) > 50 and all(attributes.get("scope") for attributes in elements.named("th"))


def test_it_needs_nothing_else(tmp_path: Path, picture: Picture) -> None:
    text = page(tmp_path, *full(picture))
    elements = Elements(text)
    sources = [value for _, a in elements.elements for name, value in a.items() if name in ("src", "href", "srcset")]
    assert len(sources) > 5 and all(source and source.startswith(("data:", "#")) for source in sources)
    assert not {"script", "iframe", "object", "form"} & {tag for tag, _ in elements.elements}
    assert not re.search(r"url\(|@import|https?:", text)
    (policy,) = [a["content"] for a in elements.named("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_every_line_of_the_contents_leads_somewhere(tmp_path: Path, picture: Picture) -> None:
    elements = Elements(page(tmp_path, *full(picture)))
    links = [str(a["href"])[1:] for a in elements.named("a")]
    assert links[1:] == ["tables", "table_1", "table_5", "more", "filter_thresholds"]
    assert set(links) <= {a.get("id") for _, a in elements.elements}


def test_a_picture_is_inside_with_its_words(tmp_path: Path, picture: Picture) -> None:
    text = page(tmp_path, *full(picture))
    (image,) = Elements(text).named("img")
    assert base64.b64decode(str(image["src"]).removeprefix("data:image/png;base64,")) == picture.path.read_bytes()
    assert (image["alt"], image["width"], image["height"]) == (picture.alt, "30", "20")
    assert "<strong>A &lt;matrix&gt;</strong> Of <code>dfew/fd1</code> &amp; others." in text


def test_every_word_is_escaped(tmp_path: Path, picture: Picture) -> None:
    text = page(tmp_path, *full(picture), statement="<script>alert(1)</script>")
    for word in (
        "Results &lt;b&gt;",
        "of a &amp; b",
        "The &lt;i&gt;tables",
        "name &lt;x&gt;",
        "a&lt;b",
        "&lt;script&gt;",
    ):
        assert word in text
    assert "<script" not in text and "<b>" not in text and "<i>" not in text


@pytest.mark.parametrize("comparable", [True, False])
def test_what_is_comparable_is_said_before_anything_else(tmp_path: Path, comparable: bool) -> None:
    text = page(tmp_path, Section("a", "A", "", (components(),)), comparable=comparable, statement="So it is.")
    heading = "What may be compared with the paper" if comparable else "Not comparable with the paper"
    assert text.index(heading) < text.index("So it is.") < text.index("<nav") < text.index("<table")
    assert (">difference</th>" in text) is comparable


def test_what_is_missing_and_facts_are_shown_only_where_there_are_some(tmp_path: Path) -> None:
    bare = page(tmp_path, Section("a", "A", "Text."))
    assert "What is missing" not in bare and "<dl>" not in bare and "<figure" not in bare
    text = page(tmp_path, Section("a", "A", "", facts=(("clips", "11,697"),), open="Figure 6. Made by\n\n    make it"))
    assert "<dt>clips</dt><dd>11,697</dd>" in text
    assert re.search(r"What is missing</strong>\s*<p>Figure 6. Made by</p>\s*<pre><code>make it</code></pre>", text)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path, picture: Picture) -> None:
    assert page(tmp_path / "a", *full(picture)) == page(tmp_path / "b", *full(picture))


def test_pictures_that_cannot_be_shown_are_refused_in_words(tmp_path: Path, picture: Picture) -> None:
    gone = Picture(tmp_path / "gone.png", "Gone", "", "nothing")
    with pytest.raises(NrdferError, match=r"gone\.png of 'Gone' cannot be read \(No such file or directory\); make it"):
        page(tmp_path, Section("a", "A", "", pictures=(gone,)))
    jpeg = tmp_path / "a.jpg"
    jpeg.write_bytes(b"\xff\xd8" + bytes(100))
    with pytest.raises(NrdferError, match=r"a\.jpg is not a PNG"):
        page(tmp_path, Section("a", "A", "", pictures=(Picture(jpeg, "", "", "x"),)))
    with pytest.raises(NrdferError, match="no alternative text"):
        page(tmp_path, Section("a", "A", "", pictures=(Picture(picture.path, "", "", " "),)))
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("anchors", "message"),
    [
        (("a", "a"), "these do not: a"),
        (("contents",), "these do not: contents"),
        (("main",), "these do not: main"),
        (("table_1",), "these do not: table_1"),
        (("a b",), "'a b' cannot be an anchor"),
        (("",), "'' cannot be an anchor"),
    ],
)
def test_anchors_must_be_usable(tmp_path: Path, anchors: tuple[str, ...], message: str) -> None:
    sections = [Section(anchor, "A", "") for anchor in anchors]
    with pytest.raises(ValueError, match=message):
        page(tmp_path, *sections, Section("z", "Z", "", (components(),)))


def test_prose_knows_paragraphs_names_and_commands() -> None:
    text = "One `a<b`\nline.\n\n    run it <now>\n    and again\n\nLast."
    assert prose(text) == (
        "<p>One <code>a&lt;b</code>\nline.</p>\n<pre><code>run it &lt;now&gt;\nand again</code></pre>\n<p>Last.</p>"
    )
    assert prose("") == "" and prose("\n\n") == ""


def test_a_digest_alone_is_code() -> None:
    assert inline("ab12" * 16) == f"<code>{'ab12' * 16}</code>"
    assert inline("one ` alone & 2") == "one ` alone &amp; 2"
    assert inline("decade") == "decade"
