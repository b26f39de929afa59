"""Choice of the ffmpeg that runs, its capabilities, and its error output.

There may be two: one on PATH, and the one that imageio-ffmpeg brings. Builds differ in their features (conda's and
Fedora's lack encoders and decoders that others have), so callers name the features they need and get a build that has
them. Probing, decoding and encoding each have their own module; no ffmpeg option of theirs belongs here.
"""

from __future__ import annotations

import logging
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from nrdfer.core.errors import NrdferError

#: Signals that others send. A process that crashes ends by SIGSEGV, SIGABRT or the like, and its file may be why.
FROM_ELSEWHERE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
Kind = Literal["codecs", "demuxers", "encoders", "filters"]
_LISTED = re.compile(r"^ ([A-Z.|]{1,8}(?: d)?) +([A-Za-z0-9_\-,]+)")
_VERBS: dict[Kind, str] = {
    "codecs": "cannot decode",
    "demuxers": "cannot open files of the kind",
    "encoders": "cannot encode with",
    "filters": "lacks the filter",
}
_log = logging.getLogger(__name__)


def ffmpeg_executable() -> str:
    """Path of the ffmpeg to run: the system's if one is on PATH and runs, else the static one of imageio-ffmpeg.

    Raises:
        NrdferError: there is neither.
    """
    return candidates()[0]


def candidates() -> tuple[str, ...]:
    """Every ffmpeg that runs on this machine, in order of preference.

    Raises:
        NrdferError: there is none.
    """
    found: list[str] = []
    broken = ""
    system = shutil.which("ffmpeg")
    if system is not None:
        broken = _why_it_does_not_run(system)
        if not broken:
            found.append(system)
    brought = _brought()
    if brought and brought not in found:
        found.append(brought)
    if not found:
        reason = f"the one on PATH cannot be run ({broken})" if broken else "none is on PATH"
        raise NrdferError(
            f"no ffmpeg was found: {reason} and imageio-ffmpeg has none for this machine; install ffmpeg (for example "
            "`apt install ffmpeg`)"
        )
    if broken:
        _tell_once(f"ffmpeg at {system} cannot be run ({broken}); {found[0]} is used instead")
    return tuple(found)


def ffmpeg_for(kind: Kind, names: Iterable[str], preferred: str | None = None) -> str | None:
    """The first ffmpeg that offers all of the given features, or None if there is none.

    Args:
        kind: what they are; "codecs" are those that it can decode.
        names: e.g. an encoder's name. An ffmpeg whose answer is not understood is taken to have everything.
        preferred: tried first.
    """
    wanted = set(names)
    first, *others = dict.fromkeys([*([preferred] if preferred else []), *candidates()])
    if _has(first, kind, wanted):
        return first
    for other in others:
        if _has(other, kind, wanted):
            lacking = ", ".join(sorted(wanted - offers(first, kind)) or sorted(wanted))
            _tell_once(f"ffmpeg at {first} {_VERBS[kind]} {lacking}; {other} is used for that")
            return other
    return None


def _has(executable: str, kind: Kind, wanted: set[str]) -> bool:
    there = offers(executable, kind)
    if there and not wanted <= there:
        return False
    return kind != "encoders" or all(_encodes(executable, name) for name in wanted)


@lru_cache(maxsize=32)
def _encodes(executable: str, encoder: str) -> bool:
    """Whether an encoder works here; a listed one may still need a missing library or device."""
    sound = encoder == "aac"
    given = ("s16le", "-ar", "48000", "-ac", "1") if sound else ("rawvideo", "-pix_fmt", "yuv420p", "-s", "64x64")
    command = [executable, "-v", "error", "-f", *given, "-i", "pipe:0", "-c:a" if sound else "-c:v", encoder]
    try:
        answer = subprocess.run(  # noqa: S603 - the executable is one found above
            [*command, "-f", "null", "-"], input=bytes(64 * 64 * 3 // 2), capture_output=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    _refuse_killed(executable, answer.returncode)
    return answer.returncode == 0


@lru_cache(maxsize=64)
def offers(executable: str, kind: Kind) -> frozenset[str]:
    """The names that an ffmpeg lists of a kind; empty if its output is not understood.

    Raises:
        NrdferError: it cannot be run.
    """
    found = set()
    for line in _answer(executable, f"-{kind}").splitlines():
        listed = _LISTED.match(line)
        if listed and not (kind == "codecs" and "D" not in listed[1]):
            found |= set(listed[2].split(","))
    return frozenset(found)


@lru_cache(maxsize=8)
def passthrough_option(executable: str) -> str:
    """Name of the option that stops ffmpeg from repeating or dropping frames: "fps_mode" or "vsync".

    The binary is run, because version numbers of distributions and of git builds cannot be compared:
    `-fps_mode` came with 5.1 and `-vsync` left with 9.0.

    Raises:
        NrdferError: the executable cannot be run.
    """
    return "fps_mode" if "-fps_mode" in _answer(executable, "-h", "long") else "vsync"


def last_lines(stderr: bytes, count: int = 3) -> str:
    """The last lines of ffmpeg's error output as one line of text, for error messages."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return "; ".join(lines[-count:])


def _answer(executable: str, *question: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603 - the executable is one found above
            [executable, "-hide_banner", *question], stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NrdferError(f"ffmpeg at {executable} cannot be run ({error}); reinstall it or fix PATH") from error
    _refuse_killed(executable, answer.returncode)
    return (answer.stdout + answer.stderr).decode(errors="replace")


def _refuse_killed(executable: str, code: int) -> None:
    """Raise an error if ffmpeg was killed: else another one would be chosen, or a video refused, for no reason."""
    if -code in FROM_ELSEWHERE:
        raise NrdferError(
            f"ffmpeg at {executable} was killed by signal {-code} while its features were listed, because memory "
            "ran out, or by a user. Run the same command again to continue"
        )


@lru_cache(maxsize=8)
def _why_it_does_not_run(executable: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603 - found on PATH
            [executable, "-version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    _refuse_killed(executable, answer.returncode)
    return "" if answer.returncode == 0 else f"exit status {answer.returncode}: {last_lines(answer.stderr, 1)}"


@lru_cache(maxsize=1)
def _brought() -> str:
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # left out of an archive for its size, or without a build for this machine
        return ""


@lru_cache(maxsize=64)
def _tell_once(words: str) -> None:
    _log.warning("%s", words)
