"""A folder like the project's root, with a tiny profile of its own, and the command that runs the job in it.

Keep out: reading what a run left (`devtools.dagster_history`, `devtools.job_state`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
LINE = ["dagster", "job", "execute", "-j", "full_reproduction"]


def make_project(folder: Path, epochs: int = 2, **changes: Any) -> dict[str, str]:
    """A folder that looks like the project's root, with a tiny profile of its own; returns the environment.

    Args:
        folder: to make or to fill.
        epochs: of the training on DFEW.
        **changes: fields of the profile, instead of the tiny one's.
    """
    profiles = folder / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "tiny.yaml").write_text(
        json.dumps(
            {
                "name": "tiny",
                "description": "The sample, tiny.",
                "corpora": {
                    "rendered": True,
                    "render": {
                        "identities": 5,
                        "afew_train_identities": 1,
                        "afew_val_identities": 1,
                        "frames": [8, 10],
                        "afew_frames": [8, 10],
                    },
                },
                "weights": {"retinaface": "sample", "enlightengan": "sample", "allow_download": False},
                "model_settings": {
                    "image_size": 48,
                    "widths": [8, 8, 16],
                    "spatial_depth": 1,
                    "temporal_depth": 1,
                    "temporal_mlp": 32,
                    "spatial_mlp": 16,
                },
                "dfew_recipe": {"epochs": epochs, "batch": 8, "lr": 0.05},
                "afew_recipe": {"epochs": 1, "batch": 7, "lr": 0.01},
                "device": "cpu",
                "engine": {"device": "cpu", "threads": 1},
                **changes,
            }
        )
    )
    copy_settings(PROJECT / "dagster.yaml", folder)
    return environment_of(folder)


def copy_settings(source: Path, folder: Path) -> None:
    """Copy a shipped dagster.yaml into a folder, with a console that says everything: tests read what a run did."""
    folder.mkdir(parents=True, exist_ok=True)
    text = source.read_text()
    (folder / source.name).write_text(text.replace("python_log_level: WARNING", "python_log_level: DEBUG"))


def environment_of(folder: Path) -> dict[str, str]:
    """The environment in which the line is typed in a folder that `make_project` made."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DAGSTER_MODULE_NAME": "pipelines.definitions",
        "NRDFER_HOME": str(folder / ".nrdfer"),
        "NRDFER_PROFILE": "tiny",
        "NRDFER_PROFILES": str(folder / "profiles"),
    }
    for name in ("DAGSTER_HOME", "MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI", "MLFLOW_DEFAULT_ARTIFACT_ROOT"):
        environment.pop(name, None)
    return environment


def use_data_of(source: Path, folder: Path) -> None:
    """Take over everything up to the shards and folds of a project of the same data settings."""
    made = shutil.ignore_patterns("checkpoint", "evaluation", "cross_validation", "report", ".work")
    for part in ("corpus", "store"):
        shutil.copytree(source / ".nrdfer" / part, folder / ".nrdfer" / part, ignore=made)


def execute(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command, as a user whose files no one else can read."""
    return subprocess.run(  # noqa: S603
        LINE, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, umask=0o077
    )
