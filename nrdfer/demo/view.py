"""The page's parts as HTML: progress, a refusal, the annotated video with its downloads, a person's timeline.

All text from outside is escaped. What moves with the playback is in ``static/page.js``.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from nrdfer.demo.session import Progress, Result
from nrdfer.plotting.style import emotion_style
from nrdfer.predict.video_output import ANNOTATED, FRAMES, PEOPLE, PREDICTION, STRIP, TIMELINE, name_of
from nrdfer.predict.windows import Window, nearest_windows

_NOBODY = "#969696"
_OF_VIDEO = {ANNOTATED: "annotated video (MP4)", PREDICTION: "everything (JSON)", PEOPLE: "people (CSV)"}
_OF_PERSON = {TIMELINE: "timeline (CSV)", FRAMES: "frames (CSV)", STRIP: "picture (PNG)"}
_LEAST_LABEL = 14.0  # per cent of the timeline that a stretch needs for its label
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
    """The annotated video, and what is known of the file."""
    document = result.document
    player = (
        f'<video id="nrdfer-video" controls playsinline preload="auto" src="{_address(result, ANNOTATED)}"></video>'
        if ANNOTATED in result.files
        else '<p class="nrdfer-note">The annotated video could not be made; the timeline is complete.</p>'
    )
    facts = f"{result.name}: {document['frames']:,} frames, {_seconds(document['end_s'])}"
    changes = ", ".join(map(str, document.get("overrides", ())))
    notes = [str(document.get("note", "")), f"unlike in training: {changes}" if changes else ""]
    return (
        f'<div class="nrdfer-video">{player}<p>{escaped(facts)}</p>'
        + "".join(f'<p class="nrdfer-note">{escaped(note)}</p>' for note in notes if note)
        + "</div>"
    )


def downloads_html(result: Result, number: int) -> str:
    """Links to the files of the video and of one person.

    Args:
        result: of the video.
        number: of the person, from 0.
    """
    titles = {name: title for name, title in _OF_VIDEO.items() if name in result.files}
    titles |= {
        file: f"{title} of person {number + 1}" if len(result.people) > 1 else title
        for name, title in _OF_PERSON.items()
        if (file := name_of(name, number + 1)) in result.files
    }
    links = "".join(
        f'<a href="{_address(result, name)}" download="{escaped(name)}">{escaped(title)}</a>'
        for name, title in titles.items()
    )
    return f'<p class="nrdfer-downloads">Download: {links}</p>'


def strip_html(result: Result, number: int) -> str:
    """The summary picture of one person; empty if it could not be made.

    Args:
        result: of the video.
        number: of the person, from 0.
    """
    name = name_of(STRIP, number + 1)
    if name not in result.files:
        return ""
    whose = escaped(person_name(result.people[number])) if number < len(result.people) else "the video"
    address = _address(result, name)
    return (
        f'<a href="{address}"><img class="nrdfer-strip" src="{address}" alt="Faces and probabilities of {whose}"></a>'
    )


def _address(result: Result, name: str) -> str:
    return f"results/{result.token}/{escaped(name)}"


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
    parts = pieces(person["timeline"], result.starts, end)
    bars = _labels(parts, start, end) + "".join(_segment(piece, start, end, emotions) for piece in parts)
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
    timeline: Sequence[Mapping[str, Any]], starts: Sequence[float], end: float
) -> list[tuple[float, float, Mapping[str, Any]]]:
    """Stretches of the playback and the window that each shows: that of its frames, as in the annotated video.

    Args:
        timeline: the windows.
        starts: when each frame appears, seconds; so a stretch ends where the picture changes.
        end: when the last one leaves.
    """
    windows = [Window(row["start_s"], row["end_s"], row["first_frame"], row["last_frame"]) for row in timeline]
    ends = [*starts[1:], end]
    nearest = nearest_windows(windows, [(a + b) / 2 for a, b in zip(starts, ends, strict=True)])
    found: list[tuple[float, float, Mapping[str, Any]]] = []
    for number, group in itertools.groupby(zip(nearest, starts, ends, strict=True), key=lambda frame: frame[0]):
        frames = list(group)
        found.append((frames[0][1], frames[-1][2], timeline[number]))
    return found


def _segment(piece: tuple[float, float, Mapping[str, Any]], start: float, end: float, emotions: Sequence[str]) -> str:
    begin, until, row = piece
    answer, place = row["answer"], _place(begin, until, start, end)
    if answer is None:
        return f'<div class="piece nobody" style="{place}" {_data(begin, until, _words(row))}></div>'
    words = f"{answer['emotion']} {100 * answer['probability']:.0f} %"
    # the top is the labels'
    style = f"{place};height:{80 * answer['probability']:.1f}%;background:{_colour(answer['emotion'], emotions)}"
    return f'<div class="piece" style="{style}" {_data(begin, until, words)}></div>'


def _labels(parts: Sequence[tuple[float, float, Mapping[str, Any]]], start: float, end: float) -> str:
    """The emotion above each stretch that is wide enough for it."""
    labels = []
    for words, group in itertools.groupby(parts, key=lambda part: _words(part[2])):
        stretch = list(group)
        begin, until = stretch[0][0], stretch[-1][1]
        if 100 * (until - begin) >= _LEAST_LABEL * (end - start):
            labels.append(f'<div class="label" style="{_place(begin, until, start, end)}">{escaped(words)}</div>')
    return "".join(labels)


def _words(row: Mapping[str, Any]) -> str:
    """A window's emotion, or why it has none."""
    return str(row["answer"]["emotion"] if row["answer"] else row["label"] or row["status"]).replace("_", " ")


def _place(begin: float, until: float, start: float, end: float) -> str:
    length = max(end - start, 1e-9)
    return f"left:{100 * (begin - start) / length:.3f}%;width:{100 * (until - begin) / length:.3f}%"


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
