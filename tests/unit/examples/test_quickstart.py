"""The notebook runs from its first cell to its last, without Jupyter, and is kept without outputs.

Its cells are plain Python (no magics), so they are executed here as a kernel would: one namespace, and of each cell the
value of its last expression. That spares the project a kernel and its thirty packages.
"""

from __future__ import annotations

import ast
import json
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from nrdfer.core.emotions import EMOTIONS

NOTEBOOK = Path(__file__).resolve().parents[3] / "examples" / "quickstart.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text())["cells"]
SOURCES = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """What a notebook would show below the cell."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), names)  # noqa: S102
    if last is None:
        return None
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)  # noqa: S307


def test_it_is_kept_without_outputs() -> None:
    content = json.loads(NOTEBOOK.read_text())
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CELLS if "outputs" in cell)
    assert len({cell["id"] for cell in CELLS}) == len(CELLS)
    assert len(SOURCES) >= 5


def test_it_asks_for_nothing_but_python() -> None:
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for source in SOURCES
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    used = {name.split(".")[0] for name in imported}
    assert used <= {"cv2", "matplotlib", "nrdfer", "numpy", "pandas", "pathlib", "tempfile", "torch"}


@pytest.mark.slow
def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    backend, names, shown = mpl.get_backend(), {"__name__": "__main__"}, []
    plt.switch_backend("Agg")
    try:
        shown = [run_cell(source, names) for source in SOURCES]
        drawn = [figure.axes[-1].get_images() for figure in map(plt.figure, plt.get_fignums())]
    finally:
        plt.close("all")
        plt.switch_backend(backend)
    assert all(drawn), "a figure without a picture"
    assert len(drawn) == 4  # training clips, sampling, crops, the prediction
    costs, table = [value for value in shown if hasattr(value, "columns")]
    assert costs["G multiply-adds"].between(1, 100).all()
    (untrained,) = [value for value in shown if isinstance(value, dict)]
    assert tuple(untrained) == EMOTIONS
    assert sum(untrained.values()) == pytest.approx(1, abs=0.01)
    assert len(names["trained"]) == len(names["tested"]) == 16
    assert sum(names["cropped"].has_face) > 60  # of 75 frames
    assert len(table) == 5  # windows of one second, one every half second, of three seconds
    assert set(table["emotion"]) <= set(EMOTIONS)
    assert names["prediction"].status == "ok"
    assert table["frames_with_face"].sum() / (25 * len(table)) > 0.9
    (folder,) = tmp_path.glob("nrdfer-quickstart-*")
    assert (folder / "strip.png").read_bytes()[:4] == b"\x89PNG"
    assert (folder / "network" / "last.safetensors").is_file()
