"""MkDocs's hook: adds the pages that are not in docs/, sets the navigation, and rewrites links."""

from __future__ import annotations

import logging

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from devtools.docs_site import links, navigation, reference

_log = logging.getLogger("mkdocs.hooks.docs_site")  # MkDocs counts its warnings with --strict


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the navigation: what docs/README.md lists, and the reference."""
    pages = [{name: f"reference/{name}.md"} for name in reference.packages()]
    config.nav = [*navigation.navigation(), {"API reference": [reference.INDEX, *pages]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the reference, and files outside docs/ to which pages link."""
    for place, text in reference.pages():
        files.append(File.generated(config, place, content=text))
    documents = [links.DOCS + file.src_uri for file in files.documentation_pages() if not file.generated_by]
    try:
        for path in links.outside(documents):
            content = links.rewritten(links.markdown(path), path)
            files.append(File.generated(config, links.place(path), content=content))
    except links.BrokenLinkError as error:
        _log.warning("%s", error)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the links of a page of docs/."""
    if page.file.generated_by:
        return markdown
    try:
        return links.rewritten(markdown, links.DOCS + page.file.src_uri)
    except links.BrokenLinkError as error:
        _log.warning("%s", error)
        return markdown
