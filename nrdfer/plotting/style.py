"""Style of all figures: colours that colour-blind readers can distinguish, the emotions' markers, one way to save.

Figures are made without pyplot: nothing is registered anywhere, so nothing is left open, and threads may draw at the
same time. What a figure shows belongs to its own module.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nrdfer.core.emotions import EMOTIONS

DPI = 110
SMALL, NORMAL, LARGE = 8.5, 9.5, 11.0  # points

# Okabe and Ito's palette, by what it is used for
BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE, BLACK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#56B4E9",
    "#CC79A7",
    "#000000",
)
HEAT = "cividis"

#: Of DFEW's emotions: colour and marker. Their lightness differs too where two markers are alike.
EMOTION_STYLES: dict[str, tuple[str, str]] = dict(
    zip(
        EMOTIONS,
        ((ORANGE, "o"), (BLUE, "s"), (BLACK, "x"), (VERMILLION, "^"), (SKY, "D"), (GREEN, "P"), (PURPLE, "v")),
        strict=True,
    )
)
#: Of the further emotions of a label set, in its order; from the first again after the last.
_FURTHER = (
    ("#882255", "<"), ("#999933", ">"), ("#661100", "*"), ("#44AA99", "h"), ("#6699CC", "p"), ("#AA4499", "d"),
    ("#117733", "8"), ("#332288", "X"), ("#DDCC77", "H"),
)  # fmt: skip


def emotion_style(emotion: str, emotions: Sequence[str]) -> tuple[str, str]:
    """Colour and marker of an emotion of a label set; DFEW's seven look alike in every set."""
    if emotion in EMOTION_STYLES:
        return EMOTION_STYLES[emotion]
    further = [name for name in emotions if name not in EMOTION_STYLES]
    return _FURTHER[further.index(emotion) % len(_FURTHER)]


def plot_label(name: str) -> str:
    """A name as matplotlib draws it letter by letter: a dollar sign begins no formula."""
    return name.replace("$", r"\$")


def widened(width: float, height: float, classes: int) -> tuple[float, float]:
    """Size in inches of a figure that has room for DFEW's seven classes, for as many as `classes`."""
    scale = max(1.0, classes / len(EMOTIONS))
    return width * scale, height * scale


def new_figure(width: float, height: float, *, constrained: bool = True) -> Figure:
    """An empty figure of the given size in inches; without `constrained` its axes are placed by hand."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained" if constrained else None, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Any, *, grid: str | None = None) -> None:
    """Small ticks, no frame above and on the right, and a faint grid along `grid` (x, y or both)."""
    axes.tick_params(labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)
    if grid is not None:
        axes.grid(axis=grid, color="0.85", linewidth=0.6)
        axes.set_axisbelow(True)


def ink(shade: float) -> str:
    """Black or white, whichever is more legible at that value (0 to 1) of `HEAT`."""
    return "black" if shade > 0.5 else "white"


def signed(value: float) -> str:
    """Two decimals with a sign and a real minus; never -0.00."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG; equal figures give equal bytes on any machine.

    Raises:
        OSError: the disk is full or not writable.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
