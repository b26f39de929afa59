"""Label sets: the emotions of a corpus by name, in class order, and which of them is neutral.

Artefacts store emotions by NAME, because the numbering differs between public repositories. A label set is the tuple of
a corpus's names; a class index is a place in it. DFEW's seven, in DFEW's order (github.com/jiangxingxun/DFEW: 1 Happy 2
Sad 3 Neutral 4 Angry 5 Surprise 6 Disgust 7 Fear), are those of AFEW and FERV39k, too, and the default of a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

EMOTIONS: tuple[str, ...] = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")

#: AFEW's class folders (``Train_AFEW/<Emotion>/``) to canonical names.
AFEW_FOLDERS: dict[str, str] = {
    "Happy": "happiness",
    "Sad": "sadness",
    "Neutral": "neutral",
    "Angry": "anger",
    "Surprise": "surprise",
    "Disgust": "disgust",
    "Fear": "fear",
}
MOST_EMOTIONS = 200  # of a label set: a confusion matrix and a table have a row for each
_LONGEST = 40  # characters of a name


def emotion_index(name: str, emotions: Sequence[str] = EMOTIONS) -> int:
    """Class index of an emotion.

    Args:
        name: of the emotion.
        emotions: the label set.

    Raises:
        ValueError: the name is not in the label set.
    """
    try:
        return emotions.index(name)
    except ValueError:
        raise ValueError(f"{name!r} is not an emotion of this label set; it has {', '.join(emotions)}") from None


def emotion_indices(names: Iterable[str], emotions: Sequence[str]) -> npt.NDArray[np.int64]:
    """Class indices (N,) of emotions.

    Raises:
        ValueError: a name is not in the label set.
    """
    known = {name: index for index, name in enumerate(emotions)}
    found = [known[name] if name in known else emotion_index(name, emotions) for name in names]
    return np.array(found, dtype=np.int64)


def neutral_index(emotions: Sequence[str]) -> int | None:
    """Class index of neutral, which the snippet-based filter can veto; None for a label set without it."""
    return next((index for index, name in enumerate(emotions) if name.casefold() == "neutral"), None)


def check_label_set(emotions: Sequence[str]) -> None:
    """Check that names can be a label set: they become column names, file names, table heads and legends.

    Raises:
        ValueError: fewer than two, too many, a name twice, or one that is empty, too long or not plain text.
    """
    if not 2 <= len(emotions) <= MOST_EMOTIONS:
        raise ValueError(f"a label set has 2 to {MOST_EMOTIONS} emotions, not {len(emotions)}")
    for name in emotions:
        if not name or name != name.strip() or not name.isprintable() or len(name) > _LONGEST:
            raise ValueError(
                f"an emotion's name is 1 to {_LONGEST} printable characters without outer spaces, not {name[:60]!r}"
            )
    seen: dict[str, str] = {}
    for name in emotions:
        if other := seen.get(name.casefold()):
            raise ValueError(f"the emotions {other!r} and {name!r} of a label set differ in capitals at most")
        seen[name.casefold()] = name


def emotions_in(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The label set of a network's settings as they are stored: `EMOTIONS` where they name none."""
    return tuple(settings.get("emotions", EMOTIONS))
