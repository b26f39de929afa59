"""What each of several shells does at the same moment with one evaluated checkpoint; run as a program.

Arguments: the checkpoint's folder, and a file that is waited for.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from nrdfer import registry
from nrdfer.publish.model_files import crops_content
from nrdfer.registry import tags
from nrdfer.registry.versions import Facts, log_best
from nrdfer.tracking.client import Tracking
from tests.unit.registry.registered import NAME, TOLD

DIGEST = "f" * 64


def main(folder: Path, begin: Path) -> None:
    import mlflow.pyfunc

    import nrdfer.serving.emotion_model

    _ = mlflow.pyfunc, nrdfer.serving.emotion_model  # loaded before the others are waited for
    begin.with_name(f"ready-{begin.name}-{time.monotonic_ns()}").touch()
    while not begin.exists():
        time.sleep(0.01)
    tracking = Tracking()
    run = tracking.surviving_run("0" * 32, DIGEST, "fd1", [{"epoch": 1, "train_loss": 1.0}], {})
    facts = Facts(DIGEST, "# a card", 3, {"war": 0.5}, TOLD)
    made = registry.register(tracking, NAME, run, crops_content(folder, "last.safetensors", "# a card"), facts)
    log_best(tracking, run, crops_content(folder, "best.safetensors", "# a card"), facts)
    registry.point_alias(tracking, NAME, TOLD[tags.FOLD], made.version)
    registry.challenge(tracking, NAME, made.version)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
