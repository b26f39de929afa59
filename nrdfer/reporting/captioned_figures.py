"""The report's pictures, drawn from stored evaluations, with captions and the figures measured in them.

Each function returns the picture, or why it could not be made: none can make the report fail. Drawing belongs to
``figures``; finding evaluations to ``nrdfer.experiments`` and the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from nrdfer.core.emotions import emotions_in
from nrdfer.core.optional_output import Missing, draw
from nrdfer.evaluation.checkpoints import features_path, predictions_path
from nrdfer.experiments.fill import described
from nrdfer.models.saved_model import read_history
from nrdfer.reporting import captions
from nrdfer.reporting.figures.attention import attention_rows, draw_attention
from nrdfer.reporting.figures.confusions import draw_confusions
from nrdfer.reporting.figures.feature_map import FoldFeatures, Separation, draw_feature_map
from nrdfer.reporting.figures.filter_gain import MEAN, draw_filter_gain
from nrdfer.reporting.figures.noisy_frames import choose_noisy_clips, draw_noisy_frames
from nrdfer.reporting.figures.planted_noise import Noise, attention_on_noise, choose_clips, seen_clips
from nrdfer.reporting.figures.recall_bars import draw_recall_bars
from nrdfer.reporting.page import Picture
from nrdfer.shards.reader import ShardReader

HONEST, PAPER = "honest", "paper"


def predictions_of(evaluation: Path, protocol: str = HONEST) -> pd.DataFrame:
    """The predictions of an evaluation."""
    return pd.read_parquet(predictions_path(evaluation, protocol))


def pooled(evaluations: Mapping[str, Path], protocol: str = HONEST) -> pd.DataFrame:
    """The predictions of several folds as one table."""
    return pd.concat([predictions_of(path, protocol) for path in evaluations.values()], ignore_index=True)


def _emotions_of(evaluations: Mapping[str, Path]) -> tuple[str, ...]:
    """The label set of some folds of one corpus."""
    return emotions_in(described(next(iter(evaluations.values())))["settings"])


def gain_picture(folds: Mapping[str, Path], out: Path) -> Picture | Missing:
    """Figure 4: WAR by epoch with and without the filter, and the gain."""
    path = out / "figure_4_filter_gain.png"
    return draw("Figure 4, what the filter gains by epoch,", path, lambda: _gain(folds, path))


def _gain(folds: Mapping[str, Path], path: Path) -> Picture:
    trends = draw_filter_gain({fold: read_history(folder) for fold, folder in folds.items()}, path)
    whole = trends.get(MEAN) or next(iter(trends.values()))
    return Picture(
        path,
        "Figure 4: what the snippet-based filter gains, epoch by epoch",
        f"Over {whole.epochs} epochs the filter gains {whole.mean_gain:+.2f} points of WAR in the mean, "
        f"{whole.last_gain:+.2f} after the last epoch (mean of folds). {whole.reading[:1].upper()}{whole.reading[1:]}"
        f"{'.' if whole.reading else ''}".rstrip(),
        "Curves of WAR over epochs with and without the filter, and the difference below them.",
    )


def noisy_frames_picture(
    evaluation: Path, shards: Path, noise: Callable[[], Noise], out: Path
) -> Picture | Missing | None:
    """Figure 1: frames of noise N1 and N2; None if it is not known which frames are noise.

    Args:
        evaluation: of the clips that may be shown.
        shards: that hold the clips.
        noise: reads what was planted in the clips, where it is known.
        out: receives the picture.
    """
    path = out / "figure_1_noisy_frames.png"
    return draw("Figure 1, noisy frames,", path, lambda: _noisy_frames(evaluation, shards, noise(), path))


def _noisy_frames(evaluation: Path, shards: Path, noise: Noise, path: Path) -> Picture | None:
    table = predictions_of(evaluation)
    clips = choose_noisy_clips(dict(zip(table["clip_id"], table["emotion"], strict=True)), noise)
    if not clips:
        return None
    with ShardReader(shards) as reader:
        draw_noisy_frames(clips, reader.frames, path)
    return Picture(
        path,
        "Figure 1: the two kinds of noisy frames",
        "N1: a few frames that do not show the target's face. N2: too many neutral frames in a clip of another "
        "emotion. Planted in rendered clips, evenly spaced frames of each.",
        "Strips of frames of two clips; noisy frames are marked.",
    )


def attention_picture(
    ours: Path, learned: Path | None, shards: Path, noise: Callable[[], Noise], out: Path
) -> Picture | Missing | None:
    """Figure 5: attention of the class token; None if the network has no class token.

    Args:
        ours: evaluation of the network with the dynamic class token.
        learned: of the one with a learned token, on the same clips.
        shards: that hold the clips.
        noise: reads what was planted in the clips, where it is known.
        out: receives the picture.
    """
    path = out / "figure_5_attention.png"
    return draw("Figure 5, attention on each frame,", path, lambda: _attention(ours, learned, shards, noise(), path))


def _attention(ours: Path, learned: Path | None, shards: Path, noise: Noise, path: Path) -> Picture | None:
    dynamic, other = predictions_of(ours), None if learned is None else predictions_of(learned)
    chosen = choose_clips(dynamic, noise, 4)
    if not chosen:
        return None
    if other is not None and not set(chosen) <= set(seen_clips(other)):
        other = None
    with ShardReader(shards) as reader:
        rows = attention_rows(chosen, reader.frames, dynamic=dynamic, learned=other, noise=noise)
        overall = attention_on_noise(dynamic, noise)
        overall_learned = None if other is None else attention_on_noise(other, noise)
        draw_attention(rows, path, overall=overall, overall_learned=overall_learned)
    words = (
        "Bars: attention of the class token, multiplied over layers and heads and normalised, for each pair of frames."
    )
    if overall is not None:
        words += f" Dynamic token, frames of noise N1: {overall.words}: {overall.reading}."
    if overall_learned is not None:
        words += f" Learned token: {overall_learned.words}: {overall_learned.relation}."
    return Picture(
        path,
        "Figure 5: attention on each frame",
        words,
        "Frames of some clips with bars of attention below each; frames of planted noise are marked.",
    )


def features_picture(ours: Mapping[str, Path], baseline: Mapping[str, Path], out: Path) -> Picture | Missing:
    """Figure 6: t-SNE of the classifier's input, and how well it separates the emotions."""
    path = out / "figure_6_features.png"
    return draw("Figure 6, the features of the test clips,", path, lambda: _features(ours, baseline, path))


def _features(ours: Mapping[str, Path], baseline: Mapping[str, Path], path: Path) -> Picture:
    found = draw_feature_map(_read_features(ours), _emotions_of(ours), path, baseline=_read_features(baseline) or None)
    text = "; ".join(
        f"{'NR-DFERNet' if name == 'ours' else name}: {_separation(folds)}" for name, folds in found.items()
    )
    return Picture(
        path,
        "Figure 6: the features of each fold's test clips",
        f"t-SNE of what the classifier sees. Measured in the features themselves, mean of folds: {text}."
        f"{captions.separation(found)}",
        "Scatter plots of features by fold, emotions shown by colour and marker.",
    )


def _read_features(evaluations: Mapping[str, Path]) -> dict[str, FoldFeatures]:
    return {
        fold: FoldFeatures(np.load(features_path(path, HONEST)), predictions_of(path)["emotion"].tolist())
        for fold, path in evaluations.items()
    }


def _separation(folds: Mapping[str, Separation]) -> str:
    def mean(get: Callable[[Separation], float | None]) -> str:
        values = [value for value in map(get, folds.values()) if value is not None]
        return f"{np.mean(values):.3f}" if values else "n/a"

    alike, chance = mean(lambda s: s.like_neighbours), mean(lambda s: s.chance)
    return f"silhouette {mean(lambda s: s.silhouette)}, neighbours of the same emotion {alike} (by chance {chance})"


def confusion_picture(evaluations: Mapping[str, Path], name: str, what: str, out: Path) -> Picture | Missing:
    """The supplement's confusion matrices: without and with the filter."""
    path = out / f"confusion_{name}.png"
    return draw(f"The picture of confusions of {what},", path, lambda: _confusion(evaluations, what, path))


def _confusion(evaluations: Mapping[str, Path], what: str, path: Path) -> Picture:
    counts = draw_confusions(pooled(evaluations), _emotions_of(evaluations), path)
    return Picture(
        path,
        f"Confusion matrices, {what}",
        f"Without the filter {counts.called_neutral_before} of {counts.non_neutral} non-neutral clips are called "
        f"neutral, with it {counts.called_neutral_after}; {counts.corrected} of those it removes are then right, and "
        f"{counts.neutral_lost} of {counts.neutral} neutral clips are lost. "
        f"{captions.balance(counts.corrected, counts.neutral_lost)}",
        "Two confusion matrices, and bars of the clips that are called neutral.",
    )


def recall_picture(
    evaluations: Mapping[str, Path], name: str, what: str, published: Mapping[str, float] | None, out: Path
) -> Picture | Missing:
    """The recall of each emotion under both protocols."""
    path = out / f"recalls_{name}.png"
    return draw(f"The picture of recalls of {what},", path, lambda: _recalls(evaluations, what, published, path))


def _recalls(evaluations: Mapping[str, Path], what: str, published: Mapping[str, float] | None, path: Path) -> Picture:
    tables = {protocol: pooled(evaluations, protocol) for protocol in (HONEST, PAPER)}
    found = draw_recall_bars(tables, _emotions_of(evaluations), path, published=published)[HONEST]
    return Picture(
        path,
        f"Recall of each emotion, {what}",
        f"All test clips together. {captions.recalls(found, published)}",
        "Bars of recalls by emotion.",
    )
