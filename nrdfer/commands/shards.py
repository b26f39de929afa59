"""``nrdfer shards``: list, inspect and verify a set of shards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nrdfer.commands.common import bar, readable
from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_text import one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nrdfer.core.records import ClipRecord

shards_app = typer.Typer(help="Shards: list, inspect, verify.", no_args_is_help=True)
_FOLDER = "A folder of shards; without one, every set in this project's store."


def _sets(folder: Path | None) -> list[Path]:
    from nrdfer.core import paths

    if folder is not None:
        return [folder]
    found = sorted(path.parent for path in paths.store_root().glob("*/shards/[0-9a-f]*/index.json"))
    if not found:
        raise NrdferError(f"there are no shards in {paths.store_root()} yet; name a folder, or run: nrdfer reproduce")
    return found


@shards_app.command("ls")
@readable
def ls(folder: Annotated[Path | None, typer.Argument(help=_FOLDER)] = None) -> None:
    """List shards: clips, frames, bytes, sha256."""
    from nrdfer.shards.index import ShardIndex

    for place in _sets(folder):
        index = ShardIndex.load(place)
        frames = sum(clip.n_frames for clip in index.clips.values())
        size = sum(shard.bytes for shard in index.shards)
        typer.echo(f"{place}: {len(index.clips)} clips, {frames} frames, {size:,} bytes")
        for shard in index.shards:
            typer.echo(f"  {shard.name}  {shard.clips:5} clips {shard.bytes:13,} bytes  {shard.sha256[:16]}")


@shards_app.command("show")
@readable
def show(
    clip: Annotated[str, typer.Argument(help="Clip id.")],
    folder: Annotated[Path | None, typer.Argument(help=_FOLDER)] = None,
    sheet: Annotated[Path | None, typer.Option(help="Also draw the clip's frames into this picture (.png).")] = None,
) -> None:
    """Print a clip's record as JSON: emotion, split, and per frame the detector's score, box and points."""
    import json

    if sheet is not None:
        from nrdfer.core.output_checks import refuse_unwritable
        from nrdfer.core.own_files import refuse_foreign

        refuse_unwritable(sheet, folder=False)
        refuse_foreign(sheet)
    from nrdfer.shards.reader import ShardReader

    for place in _sets(folder):
        with ShardReader(place) as reader:
            if clip not in reader.index.clips:
                continue
            record = reader.record(clip)
            shard = reader.index.shards[reader.index.clips[clip].shard].name
            typer.echo(json.dumps({"shard": str(place / shard), **record.to_dict()}, indent=1))
            if sheet is not None:
                _draw(reader.frames(clip), record, sheet)
            return
    raise NrdferError(f"no clip {clip!r} in {', '.join(map(str, _sets(folder)))}; `nrdfer shards ls` lists the sets")


def _draw(frames: NDArray[np.uint8], record: ClipRecord, path: Path) -> None:
    import cv2

    from nrdfer.core.own_files import write_made
    from nrdfer.core.records import FrameRecord
    from nrdfer.faces.contact_sheet import contact_sheet

    # shards of others may hold no records of single frames; each frame is a face crop all the same
    records = record.frames or tuple(FrameRecord(i, has_face=True) for i in range(record.n_frames))
    written, data = cv2.imencode(".png", contact_sheet(frames, records, title=record.clip_id)[..., ::-1])
    if not written:
        raise NrdferError(f"the frames of {record.clip_id} could not be drawn")
    write_made(path, data.tobytes())


@shards_app.command("verify")
@readable
def verify(folder: Annotated[Path | None, typer.Argument(help=_FOLDER)] = None) -> None:
    """Check every byte of shards against their index; exits with 1 if anything differs."""
    from nrdfer.shards.verify import verify as verify_shards

    bad = False
    for place in _sets(folder):
        progress, step = bar("verifying shards")
        with progress:
            problems = verify_shards(place, step)
        typer.echo(f"{place}: {'whole' if not problems else f'{len(problems)} problems'}")
        for problem in problems:
            typer.echo(f"  {one_line(problem)}")
        bad = bad or bool(problems)
    if bad:
        raise typer.Exit(1)
