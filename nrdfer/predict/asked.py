"""Options of a prediction besides its windows: whose emotions, and what the emotion of a whole video is.

Nothing heavy is imported, so that a command can check its options at once.
"""

from __future__ import annotations

ALL, MAIN = "all", "main"  # people; or a number of them
WINDOWS, CLIP = "windows", "clip"  # over the windows that show the person; of one clip of all frames, as the paper does
KINDS = (WINDOWS, CLIP)


def checked_people(people: str | int) -> str | int:
    """A choice of people: `ALL`, `MAIN`, or a number; text of a number is one.

    Raises:
        ValueError: it is none of these.
    """
    if people in (ALL, MAIN):
        return people
    try:
        number = int(people)
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError(f"people must be {ALL}, {MAIN} or a number of 1 or more, not {people!r}")
    return number


def checked_answer(answer: str) -> str:
    """A kind of answer for a whole video.

    Raises:
        ValueError: it is none.
    """
    if answer not in KINDS:
        raise ValueError(f"the answer of a whole video is one of {', '.join(KINDS)}, not {answer!r}")
    return answer
