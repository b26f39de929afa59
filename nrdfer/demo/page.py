"""The page, in Gradio: where a video is dropped, what is seen meanwhile and then, and who is chosen.

Its parts are `view`'s; the server around it is `server`'s, which sets Gradio's environment before this is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from nrdfer.demo import view
from nrdfer.demo.session import Progress, Refused, Result, Sessions

TITLE = "NR-DFERNet: emotions of a video"
_ABOUT = (
    "Drop a video. It is processed on this machine, sent nowhere, and removed when you drop another, close the page or "
    "end the program."
)


def mount_page(app: FastAPI, sessions: Sessions, uploads: Path, warning: str, max_bytes: int) -> FastAPI:
    """Put the page into an application, at its root.

    Args:
        app: to fill.
        sessions: what answers.
        uploads: the only folder of which files are taken.
        warning: what everyone who sees a prediction of this model must know; empty if nothing.
        max_bytes: of an upload.
    """
    static = files(__package__) / "static"
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        make_page(sessions, uploads, warning),
        path="/",
        footer_links=[],
        show_error=True,
        max_file_size=max_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        # fonts of the system: others would be fetched from elsewhere
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        css=(static / "page.css").read_text(),
        head=f"<script>{(static / 'page.js').read_text()}</script>",
    )
    return mounted


def make_page(sessions: Sessions, uploads: Path, warning: str) -> gr.Blocks:
    """The page; see `mount_page`."""
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.HTML(f"<h1>{view.escaped(TITLE)}</h1><p>{view.escaped(_ABOUT)}</p>")
        if warning:
            gr.HTML(f'<p class="nrdfer-warning">The model that answers was {view.escaped(warning)}.</p>')
        dropped = gr.File(label="Video", file_count="single", type="filepath", height=140)
        message = gr.HTML()
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                video = gr.HTML()
            with gr.Column(scale=2, min_width=320):
                people = gr.Radio(label="Person", choices=[], visible=False, interactive=True)
                timeline = gr.HTML()
        downloads = gr.HTML()

        def analyse(upload: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
            path = Path(upload).resolve()
            nothing = ("", gr.update(choices=[], visible=False), "", "")
            if not path.is_relative_to(uploads.resolve()):
                yield view.refusal_html("it was not uploaded here"), *nothing
                return
            for state in sessions.analyse(_visitor(request), path):
                if isinstance(state, Progress):
                    yield view.progress_html(state), *nothing
                elif isinstance(state, Refused):
                    yield view.refusal_html(state.reason), *nothing
                else:
                    names = [(view.person_name(person), number) for number, person in enumerate(state.people)]
                    choose = gr.update(choices=names, value=0 if names else None, visible=len(names) > 1)
                    yield "", view.video_html(state), choose, *_of_person(state, 0)

        def choose(number: int | None, request: gr.Request) -> tuple[str, str]:
            result = sessions.of(_visitor(request))
            if result is None or number is None:
                return "", ""
            return _of_person(result, number)

        def forget(request: gr.Request) -> tuple[Any, ...]:
            sessions.forget(_visitor(request))
            return "", "", gr.update(choices=[], visible=False), "", ""

        seen = [message, video, people, timeline, downloads]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        dropped.upload(analyse, [dropped], seen, concurrency_limit=1, **quiet)
        dropped.clear(forget, None, seen, **quiet)
        people.input(choose, [people], [timeline, downloads], **quiet)
        _note_visitors(page, dropped, sessions, uploads)
    page.queue(max_size=8)
    return page


def _of_person(result: Result, number: int) -> tuple[str, str]:
    """One person's timeline, and the picture with the downloads."""
    below = view.strip_html(result, number) + view.downloads_html(result, number)
    return view.timeline_html(result, number), below


def _note_visitors(page: gr.Blocks, dropped: gr.File, sessions: Sessions, uploads: Path) -> None:
    """Record whose upload arrives, at once, since its analysis may never begin, and who leaves."""

    def arrived(upload: str, request: gr.Request) -> None:
        path = Path(upload).resolve()
        if path.is_relative_to(uploads.resolve()):
            sessions.arrived(_visitor(request), path)

    def leave(request: gr.Request) -> None:
        sessions.leave(_visitor(request))

    dropped.upload(arrived, [dropped], None, queue=False, show_progress="hidden", api_visibility="private")
    page.unload(leave)


def _visitor(request: gr.Request) -> str:
    return str(request.session_hash or "")
