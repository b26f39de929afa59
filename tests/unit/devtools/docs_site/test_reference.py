"""The reference has every module once."""

from __future__ import annotations

import re

from devtools.docs_site import links, reference


def test_every_module_is_on_one_page() -> None:
    pages = dict(reference.pages())
    named = [name for text in pages.values() for name in re.findall(r"^::: (\S+)$", text, re.MULTILINE)]
    assert len(named) == len(set(named))
    files = [path for root in reference.PACKAGES for path in (links.PROJECT / root).rglob("*.py")]
    modules = {path.relative_to(links.PROJECT).with_suffix("") for path in files if path.stem != "__main__"}
    assert set(named) == {".".join(module.parts).removesuffix(".__init__") for module in modules}


def test_the_index_says_what_each_package_is() -> None:
    index = dict(reference.pages())[reference.INDEX]
    rows = re.findall(r"^\| \[(\S+)\]\((\S+)\) \| (.+) \|$", index, re.MULTILINE)
    assert [(name, page) for name, page, _ in rows] == [(name, f"{name}.md") for name in reference.packages()]
    assert all(len(summary) > 20 for _, _, summary in rows)
