"""Who imports whom beside the product: tests, scripts and benches share `devtools`, and none changes ``sys.path``."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from setuptools import find_namespace_packages

PROJECT = Path(__file__).resolve().parents[2]
PRODUCT, TOOLS = ("nrdfer", "assets", "pipelines"), ("devtools", "tests", "scripts", "bench")
#: Folder -> top-level packages that nothing in it may import.
FORBIDDEN = {
    "tests": {"scripts", "bench"},
    "scripts": {"tests", "bench"},
    "bench": {"tests", "scripts"},
    "devtools": {"tests", "scripts", "bench"},
    **{package: set(TOOLS) for package in PRODUCT},
}
#: Worker processes must find a module that this test writes into a folder of its own; pytest takes it back.
ALLOWED = {"tests/unit/runtime/test_process_pool.py", "tests/unit/packages.py"}
_CALLS = ("import_module", "__import__", "run_module", "run_path")
_CHANGES = {"insert", "append", "extend", "remove", "pop", "clear"}


def files(folder: str) -> list[Path]:
    return sorted((PROJECT / folder).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Names of modules that a file imports anywhere, those that are a string to `import_module` included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield node.module
        elif isinstance(node, ast.Call) and _name(node.func) in _CALLS:
            yield from (word.value for word in node.args[:1] if isinstance(word, ast.Constant))


def path_changes(tree: ast.AST) -> Iterator[int]:
    """Lines that change where Python looks for modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            method = isinstance(function, ast.Attribute) and function.attr in _CHANGES and _is_path(function.value)
            if method or _name(function) in ("syspath_prepend", "addsitedir"):
                yield node.lineno
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(_is_path(part) for target in targets for part in ast.walk(target)):
                yield node.lineno


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _is_path(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "path" and _name(node.value) == "sys"


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_nothing_is_imported_from_beside(folder: str) -> None:
    found = {path: set(imported(ast.parse(path.read_text()))) for path in files(folder)}
    assert any(found.values())
    beside = {
        f"{path.relative_to(PROJECT)} imports {name}"
        for path, names in found.items()
        for name in names
        if name.split(".")[0] in FORBIDDEN[folder]
    }
    assert beside == set()


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_no_file_changes_where_modules_are_looked_for(folder: str) -> None:
    found = {str(path.relative_to(PROJECT)): list(path_changes(ast.parse(path.read_text()))) for path in files(folder)}
    assert {name: lines for name, lines in found.items() if lines and name not in ALLOWED} == {}


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("sys.path.insert(0, 'x')", True),
        ("sys.path += ['x']", True),
        ("sys.path[:0] = ['x']", True),
        ("patch.syspath_prepend('x')", True),
        ("site.addsitedir('x')", True),
        ("print(sys.path)", False),
        ("paths = [*sys.path, 'x']", False),
        ("os.path.join('x')", False),
    ],
)
def test_a_change_is_seen(line: str, changes: bool) -> None:
    assert bool(list(path_changes(ast.parse(line)))) is changes


def test_every_kind_of_import_is_seen() -> None:
    text = "import a.b\nfrom c import d\nfrom . import i\ndef f():\n    from e.f import g\n    import_module('h')\n"
    assert sorted(imported(ast.parse(text))) == ["a.b", "c", "e.f", "h"]


def test_the_wheel_holds_the_product_alone() -> None:
    include = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    assert {name.split(".")[0] for name in find_namespace_packages(str(PROJECT), **include)} == set(PRODUCT)
    everything = {name.split(".")[0] for name in find_namespace_packages(str(PROJECT))}
    assert set(TOOLS) <= everything  # they are left out, not missed
