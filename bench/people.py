"""How well people are followed across cuts: this version and an earlier one, on planted people and on real clips.

    python -m bench.people --before ../earlier-checkout --clips CLIPS --retinaface retinaface_mobilenet0.25.pth

renders videos of 1 to 5 people with 0 to 6 cuts, predicts them with the shipped model and detector, and prints the
table of docs/prediction.md, then the one of the real clips. `--before` is a checkout of another commit (`git worktree
add`), run with this environment. `--max-side` searches pictures of one size in every version; without it each version
has its own default, as a user of it would.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devtools.people_scores import Score
from devtools.planted_people import Planted, plant

HERE = Path(__file__).resolve().parents[1]
MODEL = HERE / "nrdfer" / "weights" / "sample" / "nr-dfernet"
HEADS = (
    *("version", "people", "frames with the right person", "identity errors a minute", "windows without evidence"),
    *("whole videos without evidence", "everyone's frames that are followed"),
)


def records(
    tree: Path, videos: Sequence[Path], retinaface: Path | None, max_side: int | None, scratch: Path
) -> dict[str, Any]:
    """What the version in a checkout finds.

    Raises:
        CalledProcessError: it failed; its error is on the console.
    """
    out, job = scratch / "found.json", scratch / "job.json"
    named = str(retinaface.absolute()) if retinaface else None
    changes = {name: value for name, value in (("retinaface", named), ("max_side", max_side)) if value is not None}
    job.write_text(
        json.dumps({"model": str(MODEL), "out": str(out), "changes": changes, "videos": [str(v) for v in videos]})
    )
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "bench" / "people_records.py"), str(job)]
    subprocess.run(command, env=environment, cwd=scratch, check=True)  # noqa: S603 - own script
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="a checkout of another commit")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--cuts", type=int, nargs="+", default=[0, 1, 2, 3, 4, 5, 6])
    parser.add_argument("--clips", type=Path, help="a folder of real clips")
    parser.add_argument("--retinaface", type=Path, help="the detector for them; else the shipped one")
    parser.add_argument("--max-side", type=int, help="of the pictures that are searched, in every version, pixels")
    options = parser.parse_args()
    trees = {"before": options.before.absolute()} if options.before else {}
    trees["here"] = HERE
    with tempfile.TemporaryDirectory(prefix="nrdfer-people-") as folder:
        scratch = Path(folder)
        truths: dict[str, Planted] = {}
        for people in options.people:
            for cuts in options.cuts:
                video = scratch / f"people{people}_cuts{cuts}.avi"
                truths[str(video)] = plant(video, people, cuts, empty=10)
        print("|", " | ".join(HEADS), "|\n|" + " --- |" * len(HEADS), flush=True)
        for name, tree in trees.items():
            found = records(tree, [Path(video) for video in truths], None, options.max_side, scratch)
            for people in options.people:
                score = Score()
                for name_of_video, truth in truths.items():
                    if truth.people == people:
                        score.add(truth, found[name_of_video])
                print("|", " | ".join([name, str(people), *score.cells]), "|", flush=True)
        if options.clips:
            _clips(trees, sorted(p for p in options.clips.iterdir() if p.suffix in (".mp4", ".mov")), options, scratch)


def _clips(trees: dict[str, Path], videos: list[Path], options: argparse.Namespace, scratch: Path) -> None:
    heads = ("version", "clip", "status", "frames with the target", "people", "windows answered", "emotion")
    print("\n|", " | ".join(heads), "|\n|" + " --- |" * len(heads))
    for name, tree in trees.items():
        for video, found in records(tree, videos, options.retinaface, options.max_side, scratch).items():
            boxes = found["target"]["boxes"]
            seen = f"{sum(box is not None for box in boxes)} of {len(boxes)}"
            people = sum(any(person["boxes"]) for person in found["people"])
            cells = [name, Path(video).stem, found["status"], seen, str(people), str(len(found["target"]["windows"]))]
            print("|", " | ".join([*cells, found["target"]["emotion"] or "-"]), "|", flush=True)


if __name__ == "__main__":
    main()
