"""What a machine without a package index lacks: which distributions the check needs, and which of them it brings.

A PyTorch image has torch, numpy, pandas and other usual ones; the rest is small and travels as wheels beside the code.
An ffmpeg is large, and used if it is there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

WHEELS = "wheels"  # folder beside the code, in an archive
SITE = "site"  # beside the home of the parts: where the wheels are installed
#: Set where the project's own files are, so that nothing of the user's is read or written.
_OURS = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "PYTHONDONTWRITEBYTECODE": "1"}
#: Distribution -> module: brought as wheels.
CARRIED: Mapping[str, str] = {
    "braceexpand": "braceexpand",
    "defusedxml": "defusedxml",
    "ffmpeg-python": "ffmpeg",
    "future": "future",
    "pytz": "pytz",
    "webdataset": "webdataset",
}
#: Brought if asked, because it is large: the ffmpeg for a machine without one.
FFMPEG: Mapping[str, str] = {"imageio-ffmpeg": "imageio_ffmpeg"}
#: Distribution -> module: expected there; numpy and OpenCV alone are larger than all that is brought.
EXPECTED: Mapping[str, str] = {
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "pandas": "pandas",
    "pillow": "PIL",
    "psutil": "psutil",
    "pyyaml": "yaml",
    "safetensors": "safetensors",
    "torch": "torch",
    "tqdm": "tqdm",
}


def missing(modules: Mapping[str, str] | None = None) -> list[str]:
    """Distributions that this Python lacks; nothing is imported."""
    wanted = {**EXPECTED, **CARRIED} if modules is None else modules
    return [name for name, module in wanted.items() if find_spec(module) is None]


def install(wheels: Sequence[Path], target: Path) -> None:
    """Install wheels into a folder of their own, without an index.

    Raises:
        RuntimeError: pip refused them.
    """
    line = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    line += ["--no-compile", "--target", str(target), *map(str, wheels)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603  (pip, of this Python)
    if done.returncode:
        raise RuntimeError(f"the wheels in {wheels[0].parent} cannot be installed: {done.stderr.strip()[-400:]}")


def environment_in(folder: Path, project: Path) -> dict[str, str]:
    """Environment of the parts: their home is in `folder`, where the wheels beside the code are installed, too."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NRDFER_", "MLFLOW_"))}
    places = [str(project)]
    wheels = sorted((project / WHEELS).glob("*.whl"))
    if wheels and missing({**CARRIED, **FFMPEG}):
        install(wheels, folder / SITE)
        places.append(str(folder / SITE))
    if before := environment.get("PYTHONPATH"):
        places.append(before)
    return {**environment, **_OURS, "PYTHONPATH": os.pathsep.join(places), "NRDFER_HOME": str(folder / "home")}


def obstacle(environment: Mapping[str, str]) -> str:
    """Why the parts cannot run on this machine; empty if they can."""
    site = Path(environment["NRDFER_HOME"]).with_name(SITE)
    brought = str(site) in environment["PYTHONPATH"].split(os.pathsep)
    lacking = missing(EXPECTED) + ([] if brought else missing(CARRIED))
    if not lacking:
        return ""
    return (
        f"this Python lacks {', '.join(lacking)}; use one that has PyTorch, numpy, pandas and OpenCV, and an archive "
        "of `make gpu-archive`, which brings the others"
    )
