from __future__ import annotations

from pathlib import Path

from nrdfer.core.emotions import EMOTIONS
from nrdfer.plotting.style import EMOTION_STYLES, new_figure, save, signed


def test_no_two_emotions_share_a_colour_or_a_marker() -> None:
    assert tuple(EMOTION_STYLES) == EMOTIONS
    colours, markers = zip(*EMOTION_STYLES.values(), strict=True)
    assert len(set(colours)) == len(set(markers)) == 7


def test_signs_are_real_and_zero_is_not_negative() -> None:
    assert [signed(value) for value in (0.456, -0.456, -0.001)] == ["+0.46", "−0.46", "+0.00"]


def test_equal_figures_are_equal_bytes_and_their_folder_is_made(tmp_path: Path) -> None:
    paths = [tmp_path / name / "figure.png" for name in "ab"]
    for path in paths:
        figure = new_figure(2, 1)
        figure.subplots().plot([1, 2], [3, 1])
        save(figure, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert b"matplotlib" not in paths[0].read_bytes().lower()
