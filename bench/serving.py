"""Many concurrent requests to ``nrdfer serve``: each must get the answer of its own clip.

A tiny network is registered in a folder of its own and served as a user would; threads keep their connections and ask
for clips whose answers are known. Prints JSON: requests by status, answers that are another clip's, connections that
broke, seconds, and the quantiles of a request's time. Ends with 1 unless all were answered, and rightly.

    python -m bench.serving [--requests 10000] [--threads 8]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.models.saved_model import cpu_weights, write_description, write_weights
from nrdfer.models.trained_files import LAST
from nrdfer.publish.model_files import crops_content
from nrdfer.registry import register, tags
from nrdfer.registry.versions import Facts
from nrdfer.serving.registered_model import load_registered
from nrdfer.tracking.client import Tracking

_NAME, _CLIPS, _SIDE, _START = "bench-serving", 16, 8, 300
_TINY: dict[str, Any] = {"image_size": 32, "widths": (4, 6, 8), "spatial_depth": 1, "temporal_depth": 1}
_CLOSE = 1e-4


def registered(folder: Path) -> str:
    """Address of a tiny network's version, in a registry below `folder`."""
    folder.mkdir()
    write_weights(folder / LAST, cpu_weights(NRDFERNet(NRDFERNetSettings(**_TINY))))
    write_description(folder, "nr-dfernet", {**_TINY, "widths": list(_TINY["widths"])}, {})
    tracking = Tracking()
    run = tracking.training_run("f" * 64, _NAME, None, {}, {})
    facts = Facts("f" * 64, "# tiny", 1, {"war": 0.5}, {tags.FOLD: "fd1"})
    return register(tracking, _NAME, run, crops_content(folder, LAST, "# tiny"), facts).uri


@contextlib.contextmanager
def served(model: str, folder: Path) -> Iterator[int]:
    """``nrdfer serve`` in a process of its own; gives its port."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = int(place.getsockname()[1])
    line = [sys.executable, "-m", "nrdfer.cli", "serve", model, "--port", str(port)]
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(line, cwd=folder, stdout=log, stderr=log)  # noqa: S603
    try:
        for _ in range(_START * 5):
            if process.poll() is not None:
                raise RuntimeError((folder / "serve.log").read_text())
            with contextlib.suppress(OSError), contextlib.closing(_connect(port)) as connection:
                connection.request("GET", "/ping")
                connection.getresponse()
                break
            time.sleep(0.2)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=120)


class Asker(threading.Thread):
    """Sends requests one after the other and keeps what came of them."""

    def __init__(self, port: int, bodies: list[bytes], expected: np.ndarray, numbers: range) -> None:
        super().__init__()
        self._port, self._bodies, self._expected, self._numbers = port, bodies, expected, numbers
        self.statuses: Counter[str] = Counter()
        self.wrong = 0
        self.seconds: list[float] = []

    def run(self) -> None:
        """Ask, number after number."""
        connection = _connect(self._port)
        for number in self._numbers:
            which, began = number % len(self._bodies), time.perf_counter()
            try:
                connection.request("POST", "/invocations", self._bodies[which], {"Content-Type": "application/json"})
                answer = connection.getresponse()
                told = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.statuses[type(error).__name__] += 1
                connection.close()
                continue
            self.seconds.append(time.perf_counter() - began)
            self.statuses[str(answer.status)] += 1
            self.wrong += answer.status == 200 and not self._is_right(told, which)
        connection.close()

    def _is_right(self, told: bytes, which: int) -> bool:
        (row,) = json.loads(told)["predictions"]
        return bool(np.abs(_logits(row) - self._expected[which]).max() < _CLOSE)


def _logits(row: dict[str, Any]) -> np.ndarray:
    return np.array([value for name, value in sorted(row.items()) if name.startswith("logit_")], np.float64)


def measure(requests: int, threads: int) -> dict[str, Any]:
    """Register, serve, ask; see the module's text for what is returned."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["NRDFER_HOME"] = str(folder / "home")
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        model = registered(folder / "network")
        clips = np.random.default_rng(0).random((_CLIPS, 16, 3, _SIDE, _SIDE), dtype=np.float32).round(3)
        answers = load_registered(model).predict(clips)
        expected = np.stack([_logits(row) for row in answers.to_dict("records")])
        bodies = [json.dumps({"inputs": [clip.round(3).astype(float).tolist()]}).encode() for clip in clips]
        with served(model, folder) as port:
            askers = [Asker(port, bodies, expected, range(k, requests, threads)) for k in range(threads)]
            began = time.perf_counter()
            for asker in askers:
                asker.start()
            for asker in askers:
                asker.join()
            seconds = time.perf_counter() - began
    times = sorted(second for asker in askers for second in asker.seconds)
    return {
        "requests": requests,
        "threads": threads,
        "statuses": dict(sum((asker.statuses for asker in askers), Counter[str]())),
        "wrong_answers": sum(asker.wrong for asker in askers),
        "seconds": round(seconds, 1),
        "requests_per_second": round(requests / seconds, 1),
        "request_seconds": {str(q): round(float(np.quantile(times, q)), 4) for q in (0.5, 0.99, 1)} if times else {},
    }


def main() -> None:
    """Print the measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=8)
    given = parser.parse_args()
    found = measure(given.requests, given.threads)
    print(json.dumps(found, indent=1))
    sys.exit(found["statuses"] != {"200": given.requests} or found["wrong_answers"] > 0)


if __name__ == "__main__":
    main()
