"""A small DFEW in a folder: label files of every known naming, and pictures. Tests of it use the fixture ``dfew``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

CLIPS = 35  # clip i (from 1) has class (i - 1) % 7 and is tested in fold (i - 1) // 7 + 1
Row = tuple[str, int]


def fold_rows(fold: int, part: str, *, base: int = 1, padded: bool = True) -> list[Row]:
    rows = []
    for i in range(1, CLIPS + 1):
        if ((i - 1) // 7 + 1 == fold) == (part == "test"):
            rows.append((f"{i:05d}" if padded else str(i), (i - 1) % 7 + base))
    return rows


def write_csv(path: Path, rows: Iterable[Row], header: str | None = "video_name,label") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [] if header is None else [header]
    path.write_text("\n".join(lines + [f"{name},{label}" for name, label in rows]) + "\n")


def official(root: Path, fold: int, part: str) -> Path:
    return root / "EmoLabel_DataSplit" / f"{part}(single-labeled)" / f"set_{fold}.csv"


def renamed(root: Path, fold: int, part: str) -> Path:
    return root / "EmoLabel_DataSplit" / f"{part}(single-labeled)" / f"{part}_set_{fold}.csv"


def older(root: Path, fold: int, part: str) -> Path:
    return root / "label" / f"single_{part}set_{fold}.csv"


def write_labels(
    root: Path,
    place: Callable[[Path, int, str], Path] = official,
    *,
    base: int = 1,
    padded: bool = True,
    header: str | None = "video_name,label",
) -> None:
    for fold in range(1, 6):
        for part in ("train", "test"):
            write_csv(place(root, fold, part), fold_rows(fold, part, base=base, padded=padded), header)


def write_frames(folder: Path, clips: Iterable[int] = range(1, CLIPS + 1), *, padded: bool = True, n: int = 3) -> None:
    for clip in clips:
        name = f"{clip:05d}" if padded else str(clip)
        (folder / name).mkdir(parents=True)
        for i in range(1, n + 1):
            (folder / name / f"{name}_{i:05d}.jpg").write_bytes(b"picture")
