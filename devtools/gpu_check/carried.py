"""What a machine without a package index lacks: which distributions the check needs, and which of them it brings.

A PyTorch image has torch, numpy, pandas and other usual ones; the rest is small and travels as wheels beside the code.
An ffmpeg is large, and used if it is there.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

WHEELS = "wheels"  # folder beside the code, in an archive
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
