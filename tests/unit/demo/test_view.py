"""Parts of the demo's page: nothing of a file's name is markup, and the timeline covers the video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nrdfer.demo.session import Progress, Result
from nrdfer.demo.view import downloads_html, pieces, progress_html, refusal_html, strip_html, timeline_html, video_html
from nrdfer.predict.video_output import ANNOTATED, FRAMES, PREDICTION

EVIL = "<img src=x onerror=alert(1)>\"'${7*7}{{x}}`.mp4"


def window(start: float, end: float, emotion: str | None) -> dict[str, Any]:
    answer = emotion and {"emotion": emotion, "probability": 0.5, "probabilities": {"fear": 0.5, "anger": 0.5}}
    frames = {"first_frame": round(25 * start), "last_frame": round(25 * end) - 1}
    return {"start_s": start, "end_s": end, **frames, "status": "ok", "label": "another_person", "answer": answer}


def result(folder: Path, name: str = "a.mp4") -> Result:
    timeline = [window(0, 3, "fear"), window(1, 4, None), window(2, 5, "anger")]
    answer = {"emotion": EVIL, "probability": 0.75, "probabilities": {EVIL: 0.75}, "share": 0.5}
    people = [
        {"person": 1, "colour": "#0072B2", "reason": "", "frames_with_face": 9, "answer": answer, "timeline": timeline},
        {"person": 2, "colour": "#D55E00", "reason": EVIL, "frames_with_face": 1, "answer": None, "timeline": timeline},
    ]
    document = {"frames": 125, "start_s": 0.0, "end_s": 5.0, "reason": "", "note": EVIL, "people": people}
    for file in (ANNOTATED, PREDICTION, "people.csv"):
        (folder / file).touch()
    (folder / FRAMES).write_text("\n".join(["frame,time_s", *(f"{i},{i / 25}" for i in range(125))]))
    return Result("token", name, folder, document)


def test_text_from_outside_is_text(tmp_path: Path) -> None:
    shown = result(tmp_path, EVIL)
    made = [refusal_html(EVIL), progress_html(Progress(0.5, EVIL)), video_html(shown)]
    for html in (*made, timeline_html(shown, 0), timeline_html(shown, 1)):
        assert "<img" not in html and "${" not in html and "{{" not in html and "`" not in html
        assert "&lt;img src=x" in html
    assert "<img" not in downloads_html(shown, 0)
    for name in ("strip.png", "strip_2.png"):
        (tmp_path / name).touch()
    assert strip_html(shown, 0).count("<") == 3 and "onerror=alert(1)&gt;" in strip_html(shown, 0)
    assert 'src="results/token/strip_2.png"' in strip_html(shown, 1) and "person 2: no answer" in strip_html(shown, 1)
    (tmp_path / "strip_2.png").unlink()
    assert strip_html(shown, 1) == ""


def test_windows_stand_for_the_moments_around_their_centres() -> None:
    rows = [window(0, 3, "fear"), window(1, 4, "fear"), window(2, 5, "anger")]
    starts = [i / 4 for i in range(20)]
    assert [(a, b) for a, b, _ in pieces(rows, starts, 5.0)] == [(0.0, 2.0), (2.0, 3.0), (3.0, 5.0)]
    assert pieces(rows[:1], starts[:12], 3.0) == [(0.0, 3.0, rows[0])]


def test_stretches_follow_the_playback_where_the_frame_rate_varies() -> None:
    """The second frame stays for three seconds: its window is shown all that time, as in the annotated video."""
    rows = [window(0, 2, "fear"), window(1, 3, "anger"), window(2, 4, "fear"), window(3, 5, "anger")]
    starts = [0.0, 0.5, 3.5, *(3.6 + i / 10 for i in range(14))]
    found = pieces(rows, starts, 5.0)
    assert [(a, b, rows.index(row)) for a, b, row in found] == [(0.0, 0.5, 0), (0.5, 3.5, 1), (3.5, 5.0, 3)]


def test_a_timeline_says_what_it_shows(tmp_path: Path) -> None:
    html = timeline_html(result(tmp_path), 0)
    assert 'data-start="0.0" data-end="5.0"' in html
    assert "left:40.000%;width:20.000%" in html and 'data-words="another person"' in html
    assert "75 %, 50 % of the video" in html and "in 9 of 125 frames" in html
    assert "there is nobody" not in html.lower()
    assert "no answer" in timeline_html(result(tmp_path), 1)


def test_files_of_the_video_and_of_the_person_can_be_downloaded(tmp_path: Path) -> None:
    for name in ("timeline.csv", "timeline_2.csv"):
        (tmp_path / name).touch()
    for number, own, other in ((0, "timeline.csv", "timeline_2.csv"), (1, "timeline_2.csv", "timeline.csv")):
        html = downloads_html(result(tmp_path), number)
        for name in (ANNOTATED, PREDICTION, "people.csv", own):
            assert f'href="results/token/{name}" download="{name}"' in html
        assert f"/{other}" not in html
