"""The archive that ``make gpu-check`` needs on a machine without a package index: ``make gpu-archive``.

    python -m scripts.gpu_archive [--out build/gpu-check.tar.gz] [--python 3.12] [--with-ffmpeg]

Holds the code as it is committed, and wheels of the small packages that PyTorch images lack, for x86-64 Linux; pip
fetches them. Prints the size: 8 MB, and 68 more with ffmpeg, without which, where none is on PATH there, preprocessing
is measured on frames in memory. On the other machine:

    tar xzf gpu-check.tar.gz && cd gpu-check && python3 -m scripts.gpu_check
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from devtools.gpu_check.carried import CARRIED, FFMPEG, WHEELS

PROJECT = Path(__file__).resolve().parents[1]
#: What the check runs, and the licence.
CODE = ("nrdfer", "devtools", "bench", "scripts", "Makefile", "pyproject.toml", "LICENSE")
NAME = "gpu-check"  # the folder in the archive
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64")


def main() -> int:
    """Fetch the wheels and write the archive."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=PROJECT / "build" / f"{NAME}.tar.gz")
    parser.add_argument("--python", default="3.12", help="version on the other machine")
    parser.add_argument("--with-ffmpeg", action="store_true", help="for a machine that has none")
    given = parser.parse_args()
    wanted = [*CARRIED, *(FFMPEG if given.with_ffmpeg else ())]
    with tempfile.TemporaryDirectory() as folder:
        wheels = fetch(pinned(wanted, (PROJECT / "requirements.lock").read_text()), Path(folder), given.python)
        made = Path(folder) / "archive.tar.gz"
        write(made, code(), wheels)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        made_size = made.stat().st_size
        partial = given.out.with_name(f".{given.out.name}.part")
        partial.write_bytes(made.read_bytes())
        partial.replace(given.out)
    print(f"{made_size / 1e6:.1f} MB  {given.out} (code of the last commit, {len(wheels)} wheels)")
    return 0


def pinned(names: list[str], lock: str) -> list[str]:
    """``name==version`` of each, as the lock file says.

    Raises:
        SystemExit: one is not in it.
    """
    lines = (line.split("#")[0].strip() for line in lock.splitlines())
    versions = dict(line.lower().split("==", 1) for line in lines if "==" in line)
    if unknown := [name for name in names if name not in versions]:
        raise SystemExit(f"requirements.lock does not list {', '.join(unknown)}")
    return [f"{name}=={versions[name]}" for name in names]


def fetch(requirements: list[str], folder: Path, python: str) -> list[Path]:
    """Wheels for another Python on x86-64 Linux; those that are published as source only are built here, if pure.

    Raises:
        SystemExit: pip found none.
    """
    line = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    line += ["--only-binary=:all:", "--python-version", python, "--implementation", "cp", "--dest", str(folder)]
    for platform in _PLATFORMS:
        line += ["--platform", platform]
    for requirement in requirements:
        done = subprocess.run([*line, requirement], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            _build(requirement, folder)
    return sorted(folder.glob("*.whl"))


def _build(requirement: str, folder: Path) -> None:
    line = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    before = set(folder.glob("*.whl"))
    done = subprocess.run(  # noqa: S603
        [*line, "--wheel-dir", str(folder), requirement], capture_output=True, text=True, check=False
    )
    if done.returncode or not all(path.name.endswith("-any.whl") for path in set(folder.glob("*.whl")) - before):
        raise SystemExit(f"no wheel of {requirement} was found for x86-64 Linux: {done.stderr.strip()[-400:]}")


def code() -> bytes:
    """The committed code, as a tar.

    Raises:
        SystemExit: this is no checkout.
    """
    line = ["git", "-C", str(PROJECT), "archive", "--prefix", f"{NAME}/", "HEAD", *CODE]
    done = subprocess.run(line, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"git archive failed: {done.stderr.decode(errors='replace').strip()[-400:]}")
    return done.stdout


def write(path: Path, committed: bytes, wheels: list[Path]) -> None:
    """Write the archive of committed code and wheels."""
    with tarfile.open(path, "w:gz") as archive, tarfile.open(fileobj=io.BytesIO(committed)) as source:
        for member in source:
            archive.addfile(member, source.extractfile(member) if member.isfile() else None)
        for wheel in wheels:
            archive.add(wheel, f"{NAME}/{WHEELS}/{wheel.name}")


if __name__ == "__main__":
    sys.exit(main())
