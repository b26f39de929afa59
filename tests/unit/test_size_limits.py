"""Limits on what a reader must hold at once: parameters of a function, lines of a file."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PRODUCT = ("nrdfer", "assets", "pipelines")
MOST_PARAMETERS, MOST_LINES = 8, 350
#: Commands: each parameter is an option of the command line, taken from the function's signature.
COMMANDS = {
    "nrdfer/commands/evaluate.py: evaluate",
    "nrdfer/commands/leaks.py: corpus_leaks",
    "nrdfer/commands/own_corpus.py: corpus_add",
    "nrdfer/commands/predict.py: predict",
    "nrdfer/commands/preprocess.py: preprocess",
    "nrdfer/commands/train.py: train",
}


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (PROJECT / folder).rglob("*.py"))


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Name and number of parameters of every function; ``self`` and ``cls`` are not counted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            starred = sum(argument is not None for argument in (given.vararg, given.kwarg))
            yield node.name, sum(name not in ("self", "cls") for name in names) + starred


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_function_has_many_parameters() -> None:
    many = {
        f"{path.relative_to(PROJECT)}: {name}"
        for path in files(*PRODUCT)
        for name, parameters in functions(ast.parse(path.read_text(encoding="utf-8")))
        if parameters > MOST_PARAMETERS
    }
    assert many >= COMMANDS  # what is exempt exists
    assert many - COMMANDS == set()


def test_parameters_of_every_kind_are_counted() -> None:
    text = "class A:\n    def f(self, a, /, b, *c, d=1, **e): ...\nasync def g(): ...\n"
    assert sorted(functions(ast.parse(text))) == [("f", 5), ("g", 0)]


def test_no_file_is_long_and_most_are_short() -> None:
    lengths = {path: lines_of(path) for path in files(*PRODUCT)}
    assert {str(path): length for path, length in lengths.items() if length > MOST_LINES} == {}
    assert 60 <= statistics.median(lengths.values()) <= 150


def test_no_test_file_is_long() -> None:
    assert {str(path): lines_of(path) for path in files("tests") if lines_of(path) > MOST_LINES} == {}
