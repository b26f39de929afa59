"""Sensors: they launch a job when something appears.

Keep here: detection. Keep out: the work, and anything that imports torch: sensors are evaluated in the code server.
"""

import json
from pathlib import Path

import dagster as dg

from assets import prediction
from nrdfer.core import paths
from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import name_text
from nrdfer.store import digest_of
from nrdfer.video.discovery import list_sources
from pipelines.jobs import predict_videos

INTERVAL = 30  # seconds between two looks

Signature = list[int]  # bytes, and time of the last change in nanoseconds


@dg.sensor(
    job=predict_videos,
    minimum_interval_seconds=INTERVAL,
    # running, because making the folder is the switch: without one nothing is searched and nothing fails
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Watches the folder NRDFER_INBOX (default: inbox below NRDFER_HOME) and launches predict_videos for new or "
        "changed videos, once they have stopped growing. No folder, no work."
    ),
)
def new_videos(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Launch one run for all new videos that are no longer being written."""
    inbox = paths.inbox()
    if not inbox.is_dir():
        return dg.SkipReason(f"there is no folder {inbox}; make it and put videos into it to have them predicted")
    before = json.loads(context.cursor) if context.cursor else {}
    seen, launched = before.get("seen", {}), before.get("launched", {})
    now = look(inbox)
    resting = {path: mark for path, mark in now.items() if seen.get(path) == mark and mark[0] > 0}
    fresh = {path: mark for path, mark in resting.items() if launched.get(path) != mark}
    known = {path: mark for path, mark in launched.items() if path in now}  # what is gone may come again
    cursor = json.dumps({"seen": now, "launched": known | fresh})
    if not fresh:
        moving = len(now) - len(resting)
        reason = f"{moving} of {len(now)} videos in {inbox} are new or growing" if moving else f"nothing new in {inbox}"
        return dg.SensorResult(skip_reason=reason, cursor=cursor)
    leave_out = sorted(name_text(path) for path in now if path not in resting)
    config = prediction.PredictionConfig(folder=str(inbox), leave_out=leave_out)
    request = dg.RunRequest(
        run_key=digest_of([str(inbox), resting]),
        run_config=dg.RunConfig(ops={prediction.NAME: config}),
        tags={"nrdfer/new_videos": str(len(fresh))},
    )
    return dg.SensorResult(run_requests=[request], cursor=cursor)


def look(folder: Path) -> dict[str, Signature]:
    """The videos in a folder, each with a marker of its changes."""
    try:
        videos = [source.path for source in list_sources([folder], left_out=[])]
    except CorpusError:  # none
        return {}
    found = {}
    for path in videos:
        try:
            facts = path.stat()
        except OSError:  # gone since, or a link to nowhere
            continue
        found[str(path)] = [facts.st_size, facts.st_mtime_ns]
    return found


sensors = [new_videos]
