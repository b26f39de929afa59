"""The ffmpeg that would run, and the parts of it that videos need."""

from __future__ import annotations

import re
import subprocess

from nrdfer.core.errors import NrdferError
from nrdfer.diagnostics.findings import Level, Section
from nrdfer.video.ffmpeg import Kind, candidates, offers

#: Kind, name, level of its absence, and what it is for. A feature may be another ffmpeg's: callers choose by feature.
_WANTED: tuple[tuple[Kind, str, Level, str], ...] = (
    ("encoders", "mpeg4", "missing", "the sample's videos are written with it"),
    ("codecs", "mpeg4", "missing", "AFEW's films are read with it"),
    ("codecs", "h264", "warning", "most videos are read with it"),
    ("codecs", "hevc", "warning", "videos of phones are read with it"),
    ("codecs", "vp9", "warning", "videos of the web are read with it"),
    ("codecs", "av1", "warning", "videos of the web are read with it"),
    ("encoders", "libx264", "warning", "annotated videos are written with it; other codecs play in fewer programs"),
    ("encoders", "aac", "warning", "annotated videos keep sound with it that cannot be copied"),
    ("filters", "zscale", "warning", "videos of high dynamic range are read with it"),
    ("filters", "tonemap", "warning", "videos of high dynamic range are read with it"),
)


def examine() -> Section:
    """Every ffmpeg that runs, its version, and what none of them has."""
    found = Section("ffmpeg")
    try:
        programs = candidates()
        found.facts = {"programs": {program: _version(program) for program in programs}, "lacking": []}
        for program, version in found.facts["programs"].items():
            found.note("ok", f"{program}, version {version}")
        for kind, name, level, purpose in _WANTED:
            if not any(_has(program, kind, name) for program in programs):
                found.facts["lacking"].append(f"{kind}: {name}")
                what = {"codecs": "decodes", "encoders": "encodes with"}.get(kind, "has the filter")
                found.note(level, f"no ffmpeg {what} {name}: {purpose}. Install a fuller one, and see that PATH has it")
    except NrdferError as error:
        found.note("missing", str(error))
    return found


def _has(program: str, kind: Kind, name: str) -> bool:
    listed = offers(program, kind)
    return name in listed or not listed  # an answer that is not understood is no information


def _version(program: str) -> str:
    try:
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, errors="replace", timeout=60)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NrdferError(f"ffmpeg at {program} cannot be run ({error}); reinstall it or fix PATH") from error
    found = re.match(r"ffmpeg version (\S+)", answer.stdout)
    return found[1] if found else "unknown"
