"""What a page would load from another host is found, and what a reader clicks is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools.docs_site.outside_sources import outside_sources


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<SCRIPT SRC="//cdn.example/x.js"></SCRIPT>',
        '<link rel="stylesheet" href="http://fonts.example/a.css">',
        '<link href="https://fonts.example" rel="preconnect" crossorigin>',
        '<link rel="shortcut icon" href="https://cdn.example/i.png">',
        '<img alt="" src=" https://cdn.example/i.png"/>',
        '<img srcset="https://cdn.example/i.png 2x">',
        '<iframe src="https://video.example/v"></iframe>',
        '<p style="background: url(https://cdn.example/i.png)">',
        '<style>@import "https://fonts.example/a.css";</style>',
        "<style>p { background: url('//cdn.example/i.png') }</style>",
    ],
)
def test_a_source_of_another_host_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "page.html").write_text(f"<html><body>{text}</body></html>")
    ((page, address),) = outside_sources(tmp_path)
    assert page == "deep/page.html"
    assert ".example" in address


def test_style_sheets_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("@font-face { src: url(https://fonts.example/a.woff2) }")
    assert list(outside_sources(tmp_path)) == [("a.css", "https://fonts.example/a.woff2")]


def test_links_and_own_files_are_no_sources(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<a href="https://arxiv.org">x</a><link rel="canonical" href="https://x.example"><img src="a.png">'
        '<script src="/x.js"></script><img src="data:image/png;base64,AAAA"><p>url(https://x.example)</p>'
    )
    (tmp_path / "a.css").write_text("p { background: url(a.png) } /* https://x.example */")
    assert list(outside_sources(tmp_path)) == []
