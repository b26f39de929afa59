"""Make the tables and the picture of docs/models.md, and that of `nrdfer models`: ``make figures``. Nothing is trained.

The page's prose is written by hand; the text between its markers, and the figures in it, are generated here.
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import torch

from nrdfer.core.markdown_text import table
from nrdfer.models import table_3
from nrdfer.models.cost_table import HEADER, SHIPPED, cost_row, to_json
from nrdfer.models.costs import measure, measure_all
from nrdfer.models.flops import count_macs
from nrdfer.models.nrdfernet import NRDFERNet

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
PICTURE = PAGE.parent / "pictures" / "costs.png"
MARKERS = re.compile(r"(<!-- (costs|table 3) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)


def cost_table() -> str:
    """The table of `nrdfer models`, as Markdown."""
    return table(HEADER, map(cost_row, measure_all()), numbers=len(HEADER) - 2)


def decided_table() -> str:
    """What Table 3's figures decide, as Markdown: each change in a profile's words, and the figures still matched."""
    return table(table_3.HEADER, map(table_3.row, table_3.count_changes()), numbers=1)


def pieces() -> dict[str, float]:
    """Multiply-adds (G) of the parts of NR-DFERNet at its default setting."""
    with torch.device("meta"), torch.no_grad():
        network = NRDFERNet().eval()
        s = network.settings
        frames = torch.empty(s.frames, 3, s.image_size, s.image_size)
        maps = network.stem(frames)
        features = torch.empty(1, s.frames - 1, s.token_dim)
        dynamic = network.dsf.dynamic
        assert dynamic is not None  # noqa: S101
        stem = count_macs(lambda: network.stem(frames))
        moving = count_macs(lambda: dynamic(maps[1:] - maps[:-1]))
        conv_d = count_macs(lambda: network.dsf.conv_d(maps[1:]))
        spatial = count_macs(lambda: network.dsf.static_features(maps[1:])) - conv_d
        temporal = count_macs(lambda: network.classify(features))
        windows = [range(s.frames - 1), *s.snippets]
        snippets = count_macs(lambda: network.classify(features, windows)) - temporal
    counts = {
        "stem": stem,
        "dynamic branch": moving,
        "Conv-D": conv_d,
        "spatial encoders": spatial,
        "temporal encoders": temporal,
        "snippets": snippets,
    }
    return {name: count / 1e9 for name, count in counts.items()}


def draw_costs(path: Path) -> None:
    """What is computed without and with the filter, and what was published, as three bars of parts."""
    parts = pieces()
    published = measure("nr-dfernet").gmacs_published_counting
    doubled = sum(parts[name] for name in ("spatial encoders", "temporal encoders", "snippets"))
    bars = {
        "one clip": {name: parts[name] for name in parts if name != "snippets"},
        "with the filter": parts,
        "as published": {**parts, "encoders, again": doubled, "rest": published - sum(parts.values()) - doubled},
    }
    colours = ["#4C72B0", "#55A868", "#8172B3", "#CCB974", "#E69F00", "#56B4E9", "#C44E52", "#8C8C8C"]
    names = list(bars["as published"])
    figure, axes = plt.subplots(figsize=(10, 2.6), dpi=110)
    for row, bar in enumerate(bars.values()):
        left = 0.0
        for name, value in bar.items():
            axes.barh(row, value, left=left, height=0.62, color=colours[names.index(name)], edgecolor="white")
            left += value
        axes.text(left + 0.05, row, f"{left:.2f} G", va="center", fontsize=9)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in colours[: len(names)]]
    axes.legend(handles, names, ncol=4, fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    axes.set_yticks(range(len(bars)), list(bars), fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 7)
    axes.set_xlabel("multiply-adds of one clip, G", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Make everything."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    SHIPPED.write_text(to_json(measure_all()))
    draw_costs(PICTURE)
    made = {"costs": cost_table(), "table 3": decided_table()}
    text, changed = MARKERS.subn(lambda m: m[1] + "\n" + made[m[2]] + "\n\n" + m[3], PAGE.read_text())
    if changed != len(made):
        raise SystemExit(f"{PAGE} needs a pair of markers for each of {', '.join(made)}")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
