"""The page's parts as HTML: progress, a refusal, the annotated video with its downloads, a person's timeline.

All text from outside is escaped. What moves with the playback is in ``static/page.js``.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from nrdfer.demo.session import Progress, Result
from nrdfer.plotting.palette import from_hex, ink_on
from nrdfer.plotting.style import emotion_style
from nrdfer.predict.video_output import ANNOTATED, FRAMES, PREDICTION, STRIP, TIMELINE

_NOBODY = "#969696"
_TITLES = {
    PREDICTION: "everything (JSON)",
    TIMELINE: "timeline (CSV)",
    FRAMES: "frames (CSV)",
    STRIP: "picture (PNG)",
    ANNOTATED: "annotated video (MP4)",
}
#: Frameworks insert values into templates of their own.
_OF_TEMPLATES = str.maketrans({"{": "&#123;", "}": "&#125;", "$": "&#36;", "`": "&#96;"})


def escaped(text: str) -> str:
    """Text for HTML, in quotes too, and for templates."""
    return html.escape(text).translate(_OF_TEMPLATES)


def progress_html(progress: Progress) -> str:
    """A bar and what is being done."""
    percent = round(100 * progress.share)
    return (
        f'<div class="nrdfer-progress" role="progressbar" aria-label="progress" aria-valuenow="{percent}">'
        f'<div class="track"><div style="width:{percent}%"></div></div><span>{escaped(progress.words)}</span></div>'
    )


def refusal_html(reason: str) -> str:
    """The one message for a video without a result."""
    return f'<div class="nrdfer-refusal" role="alert"><b>This video cannot be used.</b> {escaped(reason)}</div>'


def video_html(result: Result) -> str:
    """The annotated video, what the file says of it, and the downloads."""
    address = f"results/{result.token}"
    document, there = result.document, result.files
    player = (
        f'<video id="nrdfer-video" controls playsinline preload="auto" src="{address}/{ANNOTATED}"></video>'
        if ANNOTATED in there
        else '<p class="nrdfer-note">The annotated video could not be made; the timeline is complete.</p>'
    )
    facts = f"{result.name}: {document['frames']:,} frames, {_seconds(document['end_s'])}"
    notes = [text for text in (str(document.get("note", "")), *map(str, document.get("overrides", ()))) if text]
    links = [
        f'<a href="{address}/{escaped(name)}" download="{escaped(name)}">{escaped(_TITLES.get(name, name))}</a>'
        for name in there
    ]
    return (
        f'<div class="nrdfer-video">{player}<p>{escaped(facts)}</p>'
        + "".join(f'<p class="nrdfer-note">{escaped(note)}</p>' for note in notes)
        + f'<p class="nrdfer-downloads">Download: {" ".join(links)}</p></div>'
    )


def person_name(person: Mapping[str, Any]) -> str:
    """A person in the list of choices."""
    answer = person["answer"]
    said = f"{answer['emotion']} {100 * answer['probability']:.0f} %" if answer else "no answer"
    return f"person {person['person']}: {said}"


def timeline_html(result: Result, number: int) -> str:
    """One person's answer and timeline, with a play head.

    Args:
        result: the result.
        number: of the person, from 0; without anybody, the reason is result.
    """
    document = result.document
    if number >= len(result.people):
        return f'<p class="nrdfer-note">{escaped(str(document["reason"]) or "There is nobody in this video.")}</p>'
    person = result.people[number]
    answer, start, end = person["answer"], float(document["start_s"]), float(document["end_s"])
    emotions = _emotions(person)
    head = _headline(person, answer, int(document["frames"]))
    bars = "".join(_segment(piece, start, end, emotions) for piece in pieces(person["timeline"], start, end))
    legend = "".join(
        f'<li><i style="background:{_colour(name, emotions)}"></i>{escaped(name)}</li>'
        for name in dict.fromkeys(row["answer"]["emotion"] for row in person["timeline"] if row["answer"])
    )
    return (
        f'<section class="nrdfer-person" style="--person:{escaped(str(person["colour"]))}">{head}'
        f'<div id="nrdfer-timeline" data-start="{start}" data-end="{end}" role="img" '
        f'aria-label="Timeline of {escaped(person_name(person))}; click to go there">{bars}'
        '<div id="nrdfer-head"></div></div>'
        f'<div class="nrdfer-axis"><span>{_seconds(start)}</span><span id="nrdfer-now"></span>'
        f'<span>{_seconds(end)}</span></div><ul class="nrdfer-legend">{legend}</ul></section>'
    )


def pieces(
    timeline: Sequence[Mapping[str, Any]], start: float, end: float
) -> list[tuple[float, float, Mapping[str, Any]]]:
    """Each window with the stretch that it stands for: from, to, window; the window with the nearest centre."""
    centres = [(row["start_s"] + row["end_s"]) / 2 for row in timeline]
    borders = [start, *((a + b) / 2 for a, b in itertools.pairwise(centres)), end]
    return [(borders[i], borders[i + 1], row) for i, row in enumerate(timeline)]


def _segment(piece: tuple[float, float, Mapping[str, Any]], start: float, end: float, emotions: Sequence[str]) -> str:
    begin, until, row = piece
    answer, length = row["answer"], max(end - start, 1e-9)
    place = f"left:{100 * (begin - start) / length:.3f}%;width:{100 * (until - begin) / length:.3f}%"
    if answer is None:
        words = str(row.get("label") or row["status"]).replace("_", " ")
        return f'<div class="piece nobody" style="{place}" {_data(begin, until, words)}></div>'
    colour = _colour(answer["emotion"], emotions)
    ink = "#{:02x}{:02x}{:02x}".format(*ink_on(from_hex(colour)))
    words = f"{answer['emotion']} {100 * answer['probability']:.0f} %"
    style = f"{place};height:{100 * answer['probability']:.1f}%;background:{colour};color:{ink}"
    return f'<div class="piece" style="{style}" {_data(begin, until, words)}>{escaped(answer["emotion"])}</div>'


def _data(begin: float, until: float, words: str) -> str:
    return f'data-from="{begin:.4f}" data-to="{until:.4f}" data-words="{escaped(words)}" title="{escaped(words)}"'


def _headline(person: Mapping[str, Any], answer: Mapping[str, Any] | None, frames: int) -> str:
    seen = f"the face is in {person['frames_with_face']:,} of {frames:,} frames"
    if answer is None:
        return f"<h3>no answer</h3><p>{escaped(str(person['reason']) or seen)}</p>"
    share = answer.get("share")
    part = f", {100 * share:.0f} % of the video" if share is not None else ""
    title = f"{answer['emotion']} {100 * answer['probability']:.0f} %{part}"
    return f"<h3>{escaped(title)}</h3><p>{escaped(seen)}</p>"


def _emotions(person: Mapping[str, Any]) -> tuple[str, ...]:
    """The label set, from any answer."""
    answers = [person["answer"], *(row["answer"] for row in person["timeline"])]
    return next((tuple(answer["probabilities"]) for answer in answers if answer), ())


def _colour(emotion: str | None, emotions: Sequence[str]) -> str:
    return _NOBODY if emotion is None else emotion_style(emotion, emotions)[0]


def _seconds(value: float) -> str:
    minutes, seconds = divmod(value, 60)
    return f"{minutes:.0f} min {seconds:.1f} s" if minutes >= 1 else f"{seconds:.1f} s"
