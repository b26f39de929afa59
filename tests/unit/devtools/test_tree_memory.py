"""Memory of a command is that of everything that it starts."""

from __future__ import annotations

import subprocess
import sys

from devtools.tree_memory import Samples, sampled

CHILD = "kept = bytearray(b'x') * (60 << 20); import time; time.sleep(1.5)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_a_child_counts() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT]) as process:
        found = sampled(process, every=0.05)
    assert 60 << 20 < found.peak < 200 << 20
    assert found.seconds == sorted(found.seconds)


def test_peaks_of_parts_of_a_run() -> None:
    samples = Samples([0.0, 1.0, 5.0, 9.9, 10.0], [5, 7, 3, 8, 9])
    assert samples.peaks(2) == [7, 9]
    assert samples.peaks(10) == [5, 7, 0, 0, 0, 3, 0, 0, 0, 9]
    assert (Samples().peak, Samples().peaks(2)) == (0, [0, 0])
