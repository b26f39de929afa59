"""All parts of the check, each a process with a limit of time, so that none stops or delays the others for long.

What a part does belongs to ``part``; reading options and writing the report to ``scripts/gpu_check.py``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Seconds that each part may take; together less than eight minutes, with the starts of Python.
BUDGETS: Mapping[str, float] = {
    "machine": 40,
    "checks": 110,
    "preprocessing": 60,
    "train": 130,
    "profile": 45,
    "epoch": 75,
}
LIMIT = 475.0  # seconds for all of them
_TAIL = 600  # characters of a part's last words
_TO_END = 0.8  # share of its time after which a part should stop measuring by itself


@dataclass(frozen=True)
class Supervisor:
    """Runs parts one after the other.

    Args:
        device: ``cpu`` or ``cuda``.
        environment: of the processes.
        limit: seconds for all parts.
        line: begins a part's command; the part's name and options are appended.
    """

    device: str
    environment: Mapping[str, str]
    limit: float = LIMIT
    line: Sequence[str] = (sys.executable, "-m", "devtools.gpu_check.part")

    def run(self, budgets: Mapping[str, float] = BUDGETS) -> dict[str, Any]:
        """The report of every part, by name: ``outcome`` (passed, failed, timed out, not run), seconds, figures."""
        began, report = time.monotonic(), dict[str, Any]()
        for name, budget in budgets.items():
            left = self.limit - (time.monotonic() - began)
            if left < 1:
                report[name] = {"outcome": "not run", "why": f"the {self.limit:.0f} s for all parts were over"}
            else:
                report[name] = self._part(name, min(budget, left))
            print(f"{name}: {report[name]['outcome']}", file=sys.stderr, flush=True)
        return report

    def _part(self, name: str, budget: float) -> dict[str, Any]:
        options = [name, "--device", self.device, "--seconds", f"{_TO_END * budget:.1f}"]
        started = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  (this project's own module)
            [*self.line, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(self.environment),
            start_new_session=True,  # ends with all that it started
        )
        timed_out = False
        try:
            out, said = process.communicate(timeout=budget)
        except subprocess.TimeoutExpired:
            timed_out = True
            _end_group(process)
            out, said = process.communicate()
        told: dict[str, Any] = {"seconds": round(time.monotonic() - started, 1), "budget_seconds": round(budget, 1)}
        if timed_out:
            return {"outcome": "timed out", **told, "why": f"it took longer than {budget:.0f} s", "said": said[-_TAIL:]}
        answer = _answer(out)
        if answer is None:
            why = f"it ended with status {process.returncode} and without an answer"
            return {"outcome": "failed", **told, "why": why, "said": said[-_TAIL:]}
        outcome = "failed" if process.returncode else "passed"
        return {"outcome": outcome, **told, **answer, **({"said": said[-_TAIL:]} if process.returncode else {})}


def _end_group(process: subprocess.Popen[str]) -> None:
    """End a part and everything that it started: it leads a process group of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def _answer(out: str) -> dict[str, Any] | None:
    """The JSON object in the last line of a part's output."""
    for line in reversed(out.splitlines()):
        if line.strip():
            try:
                found = json.loads(line)
            except ValueError:
                return None
            return found if isinstance(found, dict) and "figures" in found else None
    return None
