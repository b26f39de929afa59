"""How well people are followed across cuts: this version and an earlier one, on planted people and on real clips.

    python -m bench.people --before ../earlier-checkout --clips CLIPS --retinaface retinaface_mobilenet0.25.pth

renders videos of 1 to 5 people with 0 to 6 cuts, predicts them with the shipped model and detector, and prints the
table of docs/prediction.md, then the one of the real clips. `--before` is a checkout of another commit (`git worktree
add`), run with this environment. `--max-side` searches pictures of one size in every version; without it each version
has its own default, as a user of it would.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devtools.planted_people import FPS, Planted, plant

HERE = Path(__file__).resolve().parents[1]
MODEL = HERE / "nrdfer" / "weights" / "sample" / "nr-dfernet"
LEAST_IOU = 0.3
EVIDENCE = 0.25  # of the frames that an answer saw
HEADS = (
    *("version", "people", "frames with the right person", "identity errors a minute", "windows without evidence"),
    *("whole videos without evidence", "everyone's frames that are followed"),
)


@dataclass
class Score:
    """Counts over some videos."""

    shown: int = 0  # frames that show the target, by the truth
    right: int = 0  # of them, in which it was followed
    errors: int = 0  # times that the target becomes another person
    frames: int = 0
    windows: int = 0  # with an answer
    without: int = 0  # of them, without evidence
    whole: int = 0  # whole videos answered without evidence
    everyone: int = 0  # frames x people, by the truth
    followed: int = 0  # of them, followed as one person

    def add(self, truth: Planted, found: dict[str, Any]) -> None:
        """Count one video."""
        target = found["target"]
        whose = [_owner(box, truth.frames[i]) for i, box in enumerate(target["boxes"])]
        named = [who for who in whose if who is not None]  # -1 among them: followed, and nobody's face
        real = [who for who in named if who >= 0]
        main = max(sorted(set(real)), key=real.count) if real else None
        self.frames += len(truth.frames)
        self.shown += sum(main in frame for frame in truth.frames) if main is not None else len(truth.frames)
        self.right += sum(who == main for who in named)
        self.errors += sum(a != b for a, b in itertools.pairwise(named))
        for window in target["windows"]:
            self.windows += 1
            self.without += _unseen(window["frames"], whose, main)
        self.whole += bool(target["emotion"]) and _unseen(target["frames_seen"], whose, main)
        self.everyone += sum(len(frame) for frame in truth.frames)
        self.followed += _followed(truth, found["people"])

    @property
    def cells(self) -> list[str]:
        """Cells of a table."""
        minutes = self.frames / FPS / 60
        return [
            f"{100 * self.right / max(1, self.shown):.1f} %",
            f"{self.errors / minutes:.2f}",
            f"{self.without} of {self.windows}",
            str(self.whole),
            f"{100 * self.followed / max(1, self.everyone):.1f} %",
        ]


def _owner(box: Sequence[float] | None, truth: dict[int, Any]) -> int | None:
    """Whose face a box is on; -1 for nobody's, None without a box."""
    if box is None:
        return None
    best = max(truth, key=lambda who: _iou(box, truth[who]), default=None)
    return best if best is not None and _iou(box, truth[best]) >= LEAST_IOU else -1


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return wide * high / (areas - wide * high)


def _unseen(frames: Sequence[int], whose: Sequence[int | None], main: int | None) -> bool:
    return sum(whose[frame] == main for frame in frames) < EVIDENCE * len(frames)


def _followed(truth: Planted, people: Sequence[dict[str, Any]]) -> int:
    """Frames in which people are followed, each true person as at most one found person and the reverse."""
    counts: dict[tuple[int, int], int] = {}
    for number, person in enumerate(people):
        for i, box in enumerate(person["boxes"]):
            who = _owner(box, truth.frames[i])
            if who is not None and who >= 0:
                counts[number, who] = counts.get((number, who), 0) + 1
    total, numbers, owners = 0, set(), set()
    for (number, who), count in sorted(counts.items(), key=lambda row: -row[1]):
        if number not in numbers and who not in owners:
            numbers.add(number)
            owners.add(who)
            total += count
    return total


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
