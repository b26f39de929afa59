"""Figure 6: t-SNE of what the classifier sees, baseline above, NR-DFERNet below, one column a fold.

Two spaces, kept apart. The numbers below each panel are measured on the features themselves, all D dimensions, with the
cosine distance: silhouette, and share of like neighbours. The picture is t-SNE of the same features, scaled to unit
length and reduced to 50 dimensions; distances between its clusters and their sizes mean nothing, and its looks depend
on perplexity and seed. So numbers can be compared, pictures cannot. Making features belongs to ``evaluation``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nrdfer.plotting.style import LARGE, NORMAL, SMALL, emotion_style, new_figure, plot_label, save, signed

NEIGHBOURS = 5
PERPLEXITY = 30.0
MOST = 4000  # clips of a fold that are measured and drawn; DFEW's folds have 2,340
_REDUCED = 50  # dimensions that t-SNE gets; 4,096 would take minutes a fold and look the same
_ALIKE = 1e-6  # of features of unit length: below this they differ by rounding only
_FEWEST = 5  # clips of which a map can be made
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FoldFeatures:
    """One fold's test clips.

    Raises:
        ValueError: not as many emotions as features, or a feature that is not a number.
    """

    features: npt.NDArray[np.floating[Any]]  # (N, D), any precision
    emotions: Sequence[str]  # N

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or len(self.features) != len(self.emotions):
            raise ValueError(f"features {self.features.shape} of {len(self.emotions)} clips; they must be (N, D) of N")
        if not np.isfinite(self.features).all():
            raise ValueError("some features are not finite; half precision ends at 65,504")


@dataclass(frozen=True)
class Separation:
    """Separation of the emotions in the features, by cosine distance in all D dimensions."""

    clips: int  # that were measured
    silhouette: float | None  # -1 to 1, mean over clips; None without two emotions that share a clip more than one
    like_neighbours: float | None  # 0 to 1: share of a clip's 5 nearest others that have its emotion; None for one clip
    chance: float | None  # what `like_neighbours` would be if neighbours were drawn at random


def some_of(fold: FoldFeatures) -> FoldFeatures:
    """The fold, or `MOST` of its clips, evenly spread: distances of all pairs take quadratic time and memory."""
    n = len(fold.emotions)
    if n <= MOST:
        return fold
    kept = np.linspace(0, n - 1, MOST).round().astype(int)
    return FoldFeatures(fold.features[kept], [fold.emotions[i] for i in kept])


def separation(fold: FoldFeatures) -> Separation:
    """Measure one fold; with fewer than six clips all others are neighbours, of more than `MOST` some are measured."""
    from sklearn.metrics import silhouette_score

    fold = some_of(fold)
    labels = np.unique(np.asarray(fold.emotions), return_inverse=True)[1]
    n, classes = len(labels), len(set(labels.tolist()))
    if n < 2:
        return Separation(n, None, None, None)
    unit_ND = _unit(fold.features)
    distance_NN = np.clip(1 - unit_ND @ unit_ND.T, 0, 2)
    np.fill_diagonal(distance_NN, 0)
    silhouette = silhouette_score(distance_NN, labels, metric="precomputed") if 1 < classes < n else None
    np.fill_diagonal(distance_NN, np.inf)  # leave one out: no clip is its own neighbour
    nearest_NK = np.argsort(distance_NN, axis=1, kind="stable")[:, : min(NEIGHBOURS, n - 1)]
    counts = np.bincount(labels)
    return Separation(
        clips=n,
        silhouette=None if silhouette is None else float(silhouette),
        like_neighbours=float((labels[nearest_NK] == labels[:, None]).mean()),
        chance=float((counts * (counts - 1)).sum() / (n * (n - 1))),
    )


def embed(features: npt.NDArray[np.floating[Any]], seed: int = 0) -> Floats:
    """t-SNE of features (N, D), N >= 5 -> (N, 2); starts from their principal components, so that it is repeatable."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    unit_ND = _unit(features)
    size = min(_REDUCED, *unit_ND.shape)
    reduced = PCA(size, random_state=seed).fit_transform(unit_ND)
    perplexity = min(PERPLEXITY, (len(unit_ND) - 1) / 3)
    # one dimension has no two components; and features that are all alike have none at all, of which scikit-learn makes
    # NaN and then ends the process
    start = "pca" if size >= 2 and reduced[:, 0].std() > _ALIKE else "random"
    # one thread: repeatable to the last bit, and where cores are shared its threads wait for each other for minutes
    with threadpool_limits(1):
        placed = TSNE(init=start, perplexity=perplexity, random_state=seed).fit_transform(reduced)
    return np.asarray(placed, np.float32)


def _unit(features: npt.NDArray[np.floating[Any]]) -> Floats:
    wide = features.astype(np.float32)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12), np.float32)


def draw_feature_map(
    ours: Mapping[str, FoldFeatures],
    emotions: Sequence[str],
    path: Path,
    *,
    baseline: Mapping[str, FoldFeatures] | None = None,
) -> dict[str, dict[str, Separation]]:
    """Draw Figure 6; a row that has no fold is left out, a fold that one row lacks stays empty there.

    Args:
        ours: NR-DFERNet's features by fold (fd1 .. fd5).
        emotions: the label set.
        path: PNG to write.
        baseline: the baseline's.

    Returns:
        ``baseline`` and ``ours`` -> fold -> `Separation`; rows that were drawn.

    Raises:
        ValueError: no fold at all.
    """
    rows = {name: folds for name, folds in (("baseline", baseline), ("ours", ours)) if folds}
    if not rows:
        raise ValueError("no features to draw")
    columns = sorted({fold for folds in rows.values() for fold in folds})
    figure = new_figure(0.4 + max(1.5 * len(columns), 4.0), 1.3 + len(rows) * (3.2 if len(columns) == 1 else 1.95))
    panels = figure.subplots(len(rows), len(columns), squeeze=False)
    found: dict[str, dict[str, Separation]] = {name: {} for name in rows}
    for (name, folds), line in zip(rows.items(), panels, strict=True):
        line[0].set_ylabel({"baseline": "baseline", "ours": "NR-DFERNet"}[name], fontsize=LARGE)
        for fold, axes in zip(columns, line, strict=True):
            axes.set(xticks=[], yticks=[])
            if fold in folds:
                found[name][fold] = separation(folds[fold])
                _scatter(axes, folds[fold], emotions)
                axes.set_xlabel(_words(found[name][fold]), fontsize=NORMAL)
            else:
                axes.text(0.5, 0.5, "not run", ha="center", va="center", transform=axes.transAxes, fontsize=NORMAL)
    for fold, axes in zip(columns, panels[0], strict=True):
        axes.set_title(fold, fontsize=LARGE)
    _legend(figure, emotions, len(columns))
    by_chance = [one.chance for folds in found.values() for one in folds.values() if one.chance is not None]
    where = "numbers: cosine distance in all dimensions of the features"
    if by_chance:
        where += f"\nneighbours agree by chance: {100 * float(np.mean(by_chance)):.0f} %"
    figure.suptitle(where, fontsize=NORMAL)
    save(figure, path)
    return found


def _scatter(axes: Any, fold: FoldFeatures, label_set: Sequence[str]) -> None:
    if len(fold.emotions) < _FEWEST:
        axes.text(0.5, 0.5, "too few clips", ha="center", va="center", transform=axes.transAxes, fontsize=NORMAL)
        return
    fold = some_of(fold)
    x, y = embed(fold.features).T
    emotions = np.asarray(fold.emotions)
    area = float(np.clip(6000 / len(emotions), 5, 30))
    for emotion in sorted(label_set, key=lambda name: -int((emotions == name).sum())):  # rare ones on top
        mine, (colour, marker) = emotions == emotion, emotion_style(emotion, label_set)
        axes.scatter(x[mine], y[mine], area, color=colour, marker=marker, linewidths=0.7 if marker == "x" else 0)


def _words(found: Separation) -> str:
    silhouette = "–" if found.silhouette is None else signed(found.silhouette)
    like = "–" if found.like_neighbours is None else f"{100 * found.like_neighbours:.0f} %"
    return f"silhouette {silhouette}\n5-NN agree {like}"


def _legend(figure: Any, emotions: Sequence[str], columns: int) -> None:
    from matplotlib.lines import Line2D

    looks = {emotion: emotion_style(emotion, emotions) for emotion in emotions}
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=plot_label(emotion))
        for emotion, (colour, marker) in looks.items()
    ]
    wide = columns >= 4
    figure.legend(
        handles=handles, loc="outside lower center", ncols=7 if wide else 4, fontsize=NORMAL if wide else SMALL,
        frameon=False, handletextpad=0.1, columnspacing=1.0,
    )  # fmt: skip
