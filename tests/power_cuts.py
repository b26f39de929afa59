"""What is left of a folder after a power cut, for tests that run a script in it (`devtools.power_cut`)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.power_cut import PowerCut, compiler

CUTS = 20
needs_simulator = [
    pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD as it is used here is Linux's"),
    pytest.mark.skipif(compiler() is None, reason="there is no C compiler (cc) on this machine"),
]


def left_after(script: str, folder: Path, library: Path) -> list[Path]:
    """Run a script in ``folder/root``, and cut the power at its end; returns what may be left, drawn twenty times.

    Args:
        script: of Python, in a process of its own.
        folder: to work in. What lies in its ``root`` already is on the disk.
        library: that `make_library` made.
    """
    root = folder / "root"
    root.mkdir(exist_ok=True)
    cut = PowerCut(root, folder / "shadow", library)
    subprocess.run([sys.executable, "-c", script], cwd=root, env=os.environ | cut.environment(), check=True)
    left = [folder / f"left-{seed}" for seed in range(CUTS)]
    for seed, target in enumerate(left):
        cut.crash(target, random.Random(seed))
    return left
