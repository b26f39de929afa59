"""Training while MLflow's server is killed and later started again: delivered points, and the cost in time.

    python -m bench.tracking_outage [--seconds 10]

Prints one line of JSON; progress goes to stderr. The training is of a tiny network on drawn clips, on the CPU, and long
enough to begin before the server goes and to end after it is back.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from devtools.tracking_server import TrackingServer
from devtools.uploaded_points import compare
from nrdfer.config.recipe import Recipe
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord
from nrdfer.data.in_memory import MemorySource
from nrdfer.runtime.engine import Engine
from nrdfer.tracking.background_upload import Delivery
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.log_uploader import RunFacts
from nrdfer.tracking.training_log import LOG, read_all
from nrdfer.training.loop import train
from nrdfer.training.request import TrainingRequest

CLIPS, TESTED, BATCH = 28, 7, 4
AROUND = 12.0  # seconds of training before the server goes, and after it is back
START = 40.0  # seconds that the server may take to start
NETWORK: dict[str, Any] = {"image_size": 32, "widths": (4, 6, 8), "spatial_depth": 1, "temporal_depth": 1}


def drawn() -> MemorySource:
    """Clips of noise with a bright spot whose place determines the emotion."""
    rng = np.random.default_rng(0)
    clips = []
    for number in range(CLIPS):
        frames = rng.integers(0, 60, (18, 32, 32, 3), dtype=np.uint8)
        row = 4 * (number % 7)
        frames[:, row : row + 4] = 220
        clips.append((ClipRecord("dfew", f"{number:05d}", EMOTIONS[number % 7], "", 18, "0" * 64), frames))
    return MemorySource(clips)


def learn(source: MemorySource, epochs: int, folder: Path) -> None:
    """Train."""
    ids = tuple(source.clip_ids)
    request = TrainingRequest(
        "nr-dfernet",
        NETWORK,
        Recipe(epochs=epochs, batch=BATCH, lr=0.01),
        Engine(device="cpu", threads=1, workers=0),
        folder / "shards",
        ids[:-TESTED],
        ids[-TESTED:],
        folder / "work",
        folder / "out",
    )
    train(request, source=source)


def outage(server: TrackingServer, seconds: float, ready: Callable[[], bool], told: dict[str, float]) -> None:
    """Once points arrive, leave the server up for a while, then take it away for `seconds`."""
    while not ready():
        time.sleep(0.2)
    time.sleep(AROUND)
    told["killed"] = time.time()
    server.kill()
    time.sleep(seconds)
    told["started"] = time.time()
    server.start()
    told["answers"] = time.time()


def pace(lines: list[dict[str, Any]], start: float, end: float) -> dict[str, float]:
    """Batches a second between two times, and the longest pause between two batches."""
    times = [line["time"] for line in lines if line["kind"] == "batch" and start <= line["time"] <= end]
    gaps = np.diff(times)
    return {"batches_per_second": round(len(gaps) / gaps.sum(), 2), "longest_pause_s": round(float(gaps.max()), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the server is away")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    source = drawn()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["NRDFER_HOME"] = str(folder / "home")
        server = TrackingServer(folder / "server")
        os.environ["MLFLOW_TRACKING_URI"] = server.uri
        server.start()
        learn(source, 8, folder / "trial")
        ends = [line["time"] for line in read_all(folder / "trial" / "work" / LOG) if line["kind"] == "epoch"]
        epochs = math.ceil((given.seconds + START + 2 * AROUND) / float(np.diff(ends).min()))
        path, told = folder / "real" / "work" / LOG, dict[str, float]()
        facts = RunFacts("0" * 64, "outage", params=NETWORK)
        try:
            with Delivery(Tracking(), path, facts) as delivery:
                arrives = lambda: delivery._arrived > 0  # noqa: E731
                thread = threading.Thread(target=outage, args=(server, given.seconds, arrives, told), daemon=True)
                thread.start()
                begun = time.time()
                learn(source, epochs, folder / "real")
                ended = time.time()
            thread.join()
            over = time.time()
            lines = read_all(path)
            found = compare(Tracking(), delivery.run_id or "", path)
        finally:
            server.kill()
    away = (told["killed"], told["answers"])
    print(
        json.dumps(
            {
                **found,
                "epochs": epochs,
                "batches": sum(line["kind"] == "batch" for line in lines),
                "server_killed_s": round(told["started"] - told["killed"], 1),
                "server_silent_s": round(away[1] - away[0], 1),
                "training_s": round(ended - begun, 1),
                "training_outlived_outage": ended > away[1],
                "delivery_after_training_s": round(over - ended, 1),
                "with_server": pace(lines, away[0] - AROUND, away[0]),
                "without_server": pace(lines, away[0], told["started"]),
            }
        )
    )


if __name__ == "__main__":
    main()
