"""``nrdfer serve``: a registered version as a local web service, started only after its files were checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from nrdfer.commands.common import readable, refuse_no_model
from nrdfer.serving.limits import MIB, Limits

_LIMITS = Limits()


@readable
def serve(
    model: Annotated[
        str, typer.Argument(help="A registered version; hf://OWNER/NAME or sample, for videos.")
    ] = "models:/nr-dfernet-dfew@champion",
    port: Annotated[int, typer.Option(help="On this machine only (127.0.0.1).", min=1, max=65535)] = 5001,
    workers: Annotated[int, typer.Option(help="Processes that answer.", min=1, max=64)] = 1,
    videos: Annotated[
        list[Path] | None,
        typer.Option(help="Folder whose videos may be requested by path; may be repeated. None: bytes only."),
    ] = None,
    host_name: Annotated[
        list[str] | None,
        typer.Option(help="Name besides localhost by which requests may address this server; may be repeated."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="A limit as NAME=VALUE; may be repeated. Names and defaults: request_mib=64, values=20000000, "
            "side=512, videos=16, video_mib=512, frames=20000, pixels=9437184, duration=600, seconds=600, at_once=16."
        ),
    ] = None,
    retinaface: Annotated[
        str | None,
        typer.Option(
            help="For videos, instead of the training's detector: a weights file, or retinaface-resnet50, "
            "retinaface-mobilenet0.25, sample."
        ),
    ] = None,
    answer: Annotated[
        str,
        typer.Option(
            help="Of a whole video: over the windows that show the person, or one clip of all frames as the paper does "
            "(clip)."
        ),
    ] = "windows",
) -> None:
    """Check a version's files, then serve it: POST to /invocations, as with `mlflow models serve`."""
    folders, limits = [_folder(each) for each in videos or ()], limits_of(limit or ())
    refuse_no_model(model)
    from nrdfer.core.errors import NrdferError
    from nrdfer.predict.asked import checked_answer
    from nrdfer.serving.serve import run
    from nrdfer.serving.served_files import Served

    try:
        served = Served(model, retinaface, checked_answer(answer))
    except ValueError as error:
        raise NrdferError(f"--answer: {error}") from error
    run(served, port=port, workers=workers, folders=folders, hosts=tuple(host_name or ()), limits=limits)


def _folder(path: Path) -> str:
    from nrdfer.core.errors import NrdferError

    if not path.is_dir():
        raise NrdferError(f"--videos {path}: there is no such folder")
    return str(path.resolve())


_IN_MIB = {"request_mib": "request_bytes", "video_mib": "video_bytes"}  # as an option -> the field, in bytes
_MOST = 1 << 40  # more than any machine takes of what is limited


def limits_of(given: Sequence[str], known: Sequence[str] | None = None) -> Limits:
    """The limits with the given values replaced.

    Args:
        given: as NAME=VALUE.
        known: names that may be given; None: all.

    Raises:
        ProfileError: one has no such name, or no positive number.
    """
    import dataclasses

    from nrdfer.commands.common import fields_of
    from nrdfer.core.coerce import brief
    from nrdfer.core.errors import ProfileError

    kinds = {field.name: type(getattr(_LIMITS, field.name)) for field in dataclasses.fields(Limits)}
    changes: dict[str, float] = {}
    for name, value in fields_of(given, "--limit").items():
        field = _IN_MIB.get(name, name)
        if field not in kinds or name in _IN_MIB.values() or (known is not None and name not in known):
            raise ProfileError(f"--limit {name}: there is no such limit; see --help")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 < value < _MOST:  # nor is NaN
            raise ProfileError(f"--limit {name}={brief(value)}: a limit is a number above 0 and below {_MOST:,}")
        changes[field] = kinds[field](value * MIB if name in _IN_MIB else value)
        if not changes[field]:
            raise ProfileError(f"--limit {name}={value}: a limit is a number above 0")
    return dataclasses.replace(_LIMITS, **changes)  # type: ignore[arg-type]
