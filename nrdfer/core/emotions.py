"""The seven basic emotions: one canonical order, and the names and numbers each corpus uses.

Artefacts store emotions by NAME, because the numbering differs between public repositories. The canonical order
is DFEW's (github.com/jiangxingxun/DFEW: 1 Happy 2 Sad 3 Neutral 4 Angry 5 Surprise 6 Disgust 7 Fear), so that
class index = DFEW label - 1 and neutral, which the snippet-based filter needs, is 2.
"""

EMOTIONS: tuple[str, ...] = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")
NEUTRAL: int = EMOTIONS.index("neutral")

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


def emotion_index(name: str) -> int:
    """Class index (0 to 6) of a canonical emotion name.

    Raises:
        ValueError: the name is not one of `EMOTIONS`.
    """
    try:
        return EMOTIONS.index(name)
    except ValueError:
        raise ValueError(f"{name!r} is not an emotion; the seven are {', '.join(EMOTIONS)}") from None
