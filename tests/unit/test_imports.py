"""Who imports whom: no circle of files or packages, imports within functions and for type checkers included."""

from __future__ import annotations

import functools
from pathlib import Path

import grimp
import networkx as nx

import nrdfer

PACKAGES = ("nrdfer", "assets", "pipelines")


@functools.cache
def imports() -> nx.DiGraph:
    """Module -> module that it imports anywhere in its text; a package's ``__init__`` is a module, too."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    edges = nx.DiGraph()
    for module in graph.modules:
        edges.add_edges_from((module, imported) for imported in graph.find_modules_directly_imported_by(module))
    return edges


def package_of(module: str) -> str:
    """A module's package; of a package, itself."""
    place = Path(nrdfer.__file__).parents[1].joinpath(*module.split("."))
    return module if place.is_dir() else module.rpartition(".")[0]


def circles(graph: nx.DiGraph) -> list[list[str]]:
    return [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]


def test_no_circle_of_files() -> None:
    assert imports().number_of_edges() > 1000
    assert circles(imports()) == []


def test_no_circle_of_packages() -> None:
    packages = nx.DiGraph()
    for module, imported in imports().edges:
        one, other = package_of(module), package_of(imported)
        # a package and what lies in it are one thing to the rest: nrdfer.corpora and nrdfer.corpora.synthetic
        if one != other and not f"{one}.".startswith(f"{other}.") and not f"{other}.".startswith(f"{one}."):
            packages.add_edge(one, other)
    assert packages.number_of_edges() > 100
    assert circles(packages) == []


def test_a_circle_is_found() -> None:
    assert circles(nx.DiGraph([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")])) == [["a", "b", "c"]]


def test_loose_files() -> None:
    loose = sorted(path.name for path in Path(nrdfer.__file__).parent.glob("*.py"))
    assert loose == ["__init__.py", "cli.py"]
