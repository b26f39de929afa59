"""What this machine's GPU does, in at most eight minutes, as one JSON: ``make gpu-check``.

    python3 -m scripts.gpu_check [--json FILE] [--device auto|cpu|cuda] [--parts machine,checks] [--limit SECONDS]

Needs PyTorch and what usually is beside it, no package index and no installation: run it in a checkout, or in an
archive of ``make gpu-archive``, whose wheels are installed into a temporary folder. Parts: the machine; checks (copies,
streams, frames kept on the GPU, augmentation, TF32, bfloat16, NCCL, a forked process, too little memory); frames per
second of preprocessing; ``bench/train.py``; a profile of steps; one epoch at DFEW's full size. Each is a process with
its own time, and none stops the others. Without a GPU each runs as far as a CPU can, and its ``not_run`` says, line by
line, what that did not show. Ends with status 1 if a part failed or took too long.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from devtools.gpu_check.carried import environment_in, obstacle
from devtools.gpu_check.supervisor import BUDGETS, LIMIT, Supervisor

PROJECT = Path(__file__).resolve().parents[1]
REPORT = Path("build") / "gpu-check.json"


def main() -> int:
    """Read the options, run the parts, write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=REPORT, help=f"receives the report ({REPORT})")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--parts", default=",".join(BUDGETS), help="which of them, in this order")
    parser.add_argument("--limit", type=float, default=LIMIT, help=f"seconds for all parts ({LIMIT:.0f})")
    given = parser.parse_args()
    asked = given.parts.split(",")
    if unknown := sorted(set(asked) - set(BUDGETS)):
        parser.error(f"no part is called {', '.join(unknown)}; known are {', '.join(BUDGETS)}")
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
        began = time.monotonic()
        environment = environment_in(Path(folder), PROJECT)
        if problem := obstacle(environment):
            parser.error(problem)
        refuse_unless_ours(given.json, parser)
        device = given.device if given.device != "auto" else found_device()
        supervisor = Supervisor(device, environment, given.limit - (time.monotonic() - began))
        parts = supervisor.run({name: BUDGETS[name] for name in asked})
        report = {
            "gpu_check": 1,
            "device": device,
            "seconds": round(time.monotonic() - began, 1),
            "passed": all(part["outcome"] == "passed" for part in parts.values()),
            "parts": parts,
        }
    write(given.json, report)
    print(json.dumps(report))
    return int(not report["passed"])


def found_device() -> str:
    """``cuda`` if PyTorch sees a GPU; CUDA is not started in this process."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def refuse_unless_ours(path: Path, parser: argparse.ArgumentParser) -> None:
    """Refuse before the work to overwrite a file that no such check wrote."""
    if not path.exists() and not path.is_symlink():
        return
    try:
        ours = path.is_file() and not path.is_symlink() and "gpu_check" in json.loads(path.read_text())
    except (OSError, ValueError):
        ours = False
    if not ours:
        parser.error(f"{path} is there and is no report of this check; it is left unchanged, give another --json")


def write(path: Path, report: dict[str, Any]) -> None:
    """Write the report, whole or not at all."""
    from nrdfer.core.atomic_files import write_whole

    write_whole(path, (json.dumps(report, indent=1) + "\n").encode())


if __name__ == "__main__":
    sys.exit(main())
