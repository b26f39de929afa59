"""Make the pictures and the table of the README from the last run of the sample: ``make figures``.

Graph, training curves, a contact sheet, and the table between the README's markers. Run `make reproduce` first.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import matplotlib
import torch

from assets import asset_groups
from nrdfer.core import paths
from nrdfer.core.markdown_text import table
from nrdfer.faces.contact_sheet import contact_sheet
from nrdfer.preprocessing.clip_files import list_clips, read_clip, read_record
from nrdfer.reporting.build import FIGURES, REPORT
from nrdfer.reporting.results import RESULTS, closing_rows
from nrdfer.store import Store
from nrdfer.store.pointers import Pointers
from pipelines.definitions import defs

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

PROJECT = Path(__file__).resolve().parents[2]
PICTURES = PROJECT / "docs" / "pictures"
COLOURS = {
    asset_groups.CORPORA.name: "#DCE6F2",
    asset_groups.FACES.name: "#CFE8F7",
    asset_groups.SHARDS.name: "#D5F0E3",
    asset_groups.TRAINING.name: "#FCE9C8",
    asset_groups.EVALUATION.name: "#F3DCE9",
    asset_groups.REPORT.name: "#E6E6E6",
}
MARKERS = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)
CAPTIONED = re.compile(r"(<!-- figure 5 -->\n\n!\[.*?\n\n).*?(\n\n<!-- end of figure 5 -->)", re.DOTALL)


def draw_graph(path: Path) -> None:
    """The asset graph, left to right, coloured by group."""
    nodes = {node.key.to_user_string(): node for node in defs.resolve_asset_graph().asset_nodes}
    nodes = {name: node for name, node in nodes.items() if node.group_name in COLOURS}  # the main job's
    parents = {
        name: sorted({key.to_user_string() for key in node.parent_keys} & set(nodes)) for name, node in nodes.items()
    }

    def depth(name: str) -> int:
        return max((depth(parent) + 1 for parent in parents[name]), default=0)

    def ancestors(name: str) -> set[str]:
        return set(parents[name]).union(*map(ancestors, parents[name]))

    def row(name: str) -> float:
        fold = re.match(r"dfew/fd(\d)", name)
        return 2.4 if name.startswith("afew") else 2.2 - int(fold[1]) * 0.8 if fold else -0.2

    place = {name: (2.6 * depth(name), row(name)) for name in nodes}
    # only the arrows that no chain of others implies
    parents = {name: [p for p in above if not any(p in ancestors(q) for q in above)] for name, above in parents.items()}
    figure, axes = plt.subplots(figsize=(14.5, 4.6), dpi=110)
    for name, above in parents.items():
        for parent in above:
            (x0, y0), (x1, y1) = place[parent], place[name]
            axes.annotate(
                "",
                xy=(x1 - 1.02, y1),
                xytext=(x0 + 1.02, y0),
                arrowprops={"arrowstyle": "-|>", "color": "#8A8A8A", "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0},
            )
    for name, (x, y) in place.items():
        colour = COLOURS[str(nodes[name].group_name)]
        box = FancyBboxPatch((x - 1, y - 0.3), 2, 0.6, boxstyle="round,pad=0.02", facecolor=colour, edgecolor="#555555")
        axes.add_patch(box)
        axes.text(x, y, name, ha="center", va="center", fontsize=8)
    axes.set_xlim(-1.2, max(x for x, _ in place.values()) + 1.2)
    axes.set_ylim(-2.4, 3)
    axes.axis("off")
    figure.savefig(path, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def draw_contact_sheet(store: Store, report: dict[str, object], path: Path) -> None:
    """The AFEW clip of the last run in which most frames lack the target's face."""
    artefacts = report["artefacts"]
    assert isinstance(artefacts, dict)  # noqa: S101
    shards = store.open("afew/shards", artefacts["afew/shards"])
    enhanced = store.open("afew/enhanced_faces", shards.manifest["inputs"]["enhanced_faces"])
    aligned = store.open("afew/aligned_faces", enhanced.manifest["inputs"]["aligned_faces"]).path

    def missing(clip_id: str) -> int:
        return sum(not frame.has_face for frame in read_record(aligned, clip_id).frames)

    record, frames = read_clip(aligned, max(list_clips(aligned), key=missing))
    sheet = contact_sheet(frames, record.frames, title=record.clip_id)
    cv2.imwrite(str(path), sheet[..., ::-1])


def main() -> None:
    """Make everything."""
    store = Store(paths.store_root())
    report = Pointers(store, paths.home() / "reports").get("sample")
    if report is None:
        raise SystemExit("there are no results of the sample yet; run: make reproduce")
    PICTURES.mkdir(parents=True, exist_ok=True)
    results = json.loads((report.path / RESULTS).read_text())
    draw_graph(PICTURES / "graph.png")
    draw_contact_sheet(store, results, PICTURES / "contact_sheet.png")
    for name in ("curves", "figure_4_filter_gain", "figure_5_attention", "figure_6_features"):
        shutil.copyfile(report.path / FIGURES / f"{name}.png", PICTURES / f"{name}.png")
    header, *rows = closing_rows(results)
    seed = results["settings"]["corpora"]["render"].get("seed", 0), results["settings"]["dfew_recipe"].get("seed", 0)
    lines = [
        "",
        table(header, rows),
        "",
        f"Percent; seed {seed[0]} of the corpus, seed {seed[1]} of the training. Made on a processor with "
        f"{torch.backends.cpu.get_cpu_capability()}. `make figures` writes this table.",
        "",
    ]
    readme = PROJECT / "README.md"
    text, changed = MARKERS.subn(lambda m: m[1] + "\n".join(lines) + "\n" + m[2], readme.read_text())
    if changed != 1:
        raise SystemExit("README.md has no pair of result markers")
    # the caption says what was measured; the report has it below the picture
    caption = re.search(r"!\[[^\n]*figure_5_attention\.png\)\n\n(.+)", (report.path / REPORT).read_text())
    if caption is None:
        raise SystemExit("the report has no Figure 5")
    text, changed = CAPTIONED.subn(lambda m: m[1] + caption[1] + m[2], text)
    if changed != 1:
        raise SystemExit("README.md has no pair of markers of Figure 5")
    readme.write_text(text)


if __name__ == "__main__":
    main()
