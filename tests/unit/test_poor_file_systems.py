"""Whole commands on file systems without hard links, modes, flushing of folders, or locks: a library plays them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_LIBRARY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int no(int number) { errno = number; return -1; }

int link(const char *a, const char *b) { return no(EPERM); }
int linkat(int a, const char *b, int c, const char *d, int e) { return no(EPERM); }
int chmod(const char *a, mode_t b) { return no(EPERM); }
int fchmod(int a, mode_t b) { return no(EPERM); }
int fchmodat(int a, const char *b, mode_t c, int d) { return no(EPERM); }

int fsync(int file) {
    struct stat found;
    if (fstat(file, &found) == 0 && S_ISDIR(found.st_mode)) return no(EINVAL);
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return real(file);
}

int flock(int file, int how) {
    if (getenv("WITHOUT_LOCKS")) return no(ENOLCK);
    int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
    return real(file, how);
}
"""
_TRACKED = """
from nrdfer.core import paths
from nrdfer.store import Store
from nrdfer.tracking.client import Tracking

def build(out):
    (out / "a.txt").write_text("a")
    return {"files": 1}

made = Store(paths.store_root()).build("asset", code_version="1", config={}, inputs={}, build=build)
print(made.path.is_dir(), Tracking().experiment_id)
"""


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which the system's calls go to a poor file system."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("a poor file system is played by a library that a C compiler must make, on Linux")
    folder = tmp_path_factory.mktemp("poor")
    (folder / "poor.c").write_text(_LIBRARY)
    command = [compiler, "-shared", "-fPIC", "-o", str(folder / "poor.so"), str(folder / "poor.c"), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return {**os.environ, "LD_PRELOAD": str(folder / "poor.so"), "OMP_NUM_THREADS": "1"}


def run(line: list[str], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**environment, "NRDFER_HOME": str(folder / "home")}
    return subprocess.run(
        [sys.executable, *line], env=environment, cwd=folder, capture_output=True, text=True, timeout=300
    )


def test_an_artefact_and_mlflows_database_are_made_without_links_and_modes(
    tmp_path: Path, poor: dict[str, str]
) -> None:
    done = run(["-c", _TRACKED], poor, tmp_path)
    assert (done.returncode, done.stdout.split()) == (0, ["True", "1"]), done.stderr[-3000:]


def test_videos_are_preprocessed_without_links_and_modes(
    tmp_path: Path, poor: dict[str, str], shared_dir: Path
) -> None:
    line = ["-m", "nrdfer.cli", "preprocess", str(shared_dir / "clips" / "pyfeat_single_face.mp4"), "--out", "crops"]
    weights = str(shared_dir / "weights" / "retinaface_mobilenet0.25.pth")
    done = run([*line, "--json", "all.json", "--retinaface", weights], poor, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "all.json").is_file() and list((tmp_path / "crops").rglob("0000.jpg"))


def test_without_locks_one_sentence_says_what_to_do(tmp_path: Path, poor: dict[str, str]) -> None:
    done = run(["-m", "nrdfer.cli", "corpus", "sample"], {**poor, "WITHOUT_LOCKS": "1"}, tmp_path)
    assert done.returncode == 1
    assert "no file locks" in done.stderr and "Traceback" not in done.stderr, done.stderr[-3000:]
