"""Compare the results of two commits byte for byte: the proof of a refactoring.

    python -m scripts.same_bytes BEFORE [AFTER] [--model resnet18-gru] [--folder DIR] [--json FILE]

Each commit is unpacked into a folder of its own (``git archive``) and does the same on this machine: ``dagster job
execute -j full_reproduction`` with a tiny profile, which makes crops, shards, weights, histories and predictions, and
then ``nrdfer train`` and ``nrdfer evaluate`` of another network. AFTER is HEAD unless given; changes that are not
committed are left out. Prints how many files of each kind are equal, with one sha256 over all of them, and ends with
status 1 unless every file is there twice with the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from devtools import job_state
from devtools.own_places import json_file, take_folder
from devtools.tiny_project import LINE, PROJECT, environment_of, make_project
from nrdfer.core.own_files import write_made

RIVAL = "resnet18-gru"
_RIVAL_SET = ("epochs=1", "batch=8")
_KINDS = {
    ".npz": "crops",
    ".npy": "crops and features",
    ".tar": "shards",
    ".safetensors": "weights",
    ".jsonl": "histories",
    ".parquet": "predictions",
    ".json": "metrics",
}


def results_of(commit: str, folder: Path, rival: str) -> dict[str, str]:
    """sha256 of every result of a commit, by its place; what an earlier call left in the folder is taken."""
    done = folder / "results.json"
    if done.is_file():
        kept: dict[str, str] = json.loads(done.read_text())
        return kept
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sources, project = folder / "sources", folder / "project"
    _run(["git", "-C", str(PROJECT), "archive", "--output", str(folder / "sources.tar"), commit], {}, folder)
    sources.mkdir()
    _run(["tar", "-xf", str(folder / "sources.tar"), "-C", str(sources)], {}, folder)
    make_project(project, epochs=1)
    shutil.copy(sources / "dagster.yaml", project)
    environment = environment_of(project) | {"PYTHONPATH": str(sources), "NRDFER_PROFILES": str(project / "profiles")}
    _run(LINE, environment, project)
    command = [sys.executable, "-c", "from nrdfer.cli import app; app()"]
    settings = [word for setting in _RIVAL_SET for word in ("--set", setting)]
    _run([*command, "train", "fd1", "--model", rival, *settings, "--out", "rival"], environment, project)
    _run([*command, "evaluate", "rival", "--split", "fd1", "--out", "rival-evaluation"], environment, project)
    found = job_state.results(project)
    for path in sorted(path for name in ("rival", "rival-evaluation") for path in (project / name).glob("*")):
        if path.suffix in (".safetensors", ".parquet") or path.name == "history.jsonl":
            found[str(path.relative_to(project))] = hashlib.sha256(path.read_bytes()).hexdigest()
    done.write_text(json.dumps(found, indent=1))
    return found


def _run(line: list[str], environment: Mapping[str, str], folder: Path) -> None:
    print(f"  {' '.join(line)[:100]}", flush=True)
    done = subprocess.run(line, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)  # noqa: S603
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(line)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")


def table(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """A line a kind: files, equal ones, and the sha256 over the names and digests of each side."""
    kinds: dict[str, list[str]] = {}
    for name in sorted({*before, *after}):
        kinds.setdefault(_KINDS.get(PurePosixPath(name).suffix, "tables"), []).append(name)
    lines = []
    for kind, names in sorted(kinds.items()):
        equal = sum(before.get(name) == after.get(name) for name in names)
        lines.append(
            f"{kind}: {equal} of {len(names)} equal; before {_digest(before, names)}, after {_digest(after, names)}"
        )
    return "\n".join(lines)


def _digest(found: Mapping[str, str], names: list[str]) -> str:
    return hashlib.sha256("".join(f"{name} {found.get(name)}\n" for name in names).encode()).hexdigest()[:16]


def main() -> None:
    """Read the options, run both, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="a commit")
    parser.add_argument("after", nargs="?", default="HEAD", help="a commit (HEAD)")
    parser.add_argument("--model", default=RIVAL, help=f"network that is trained besides NR-DFERNet ({RIVAL})")
    parser.add_argument("--folder", type=Path, help="to work in and to keep; what ended there is not repeated")
    parser.add_argument("--json", type=json_file, help="file to write")
    given = parser.parse_args()
    for name in ("NRDFER_HOME", "MLFLOW_TRACKING_URI"):
        os.environ.pop(name, None)
    sides = []
    with tempfile.TemporaryDirectory(prefix="same-bytes-") as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        take_folder(folder)
        for asked in (given.before, given.after):
            line = ["git", "-C", str(PROJECT), "rev-parse", "--verify", f"{asked}^{{commit}}"]
            commit = subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
            print(f"{asked}: {commit[:12]}", flush=True)
            sides.append(results_of(commit, folder / commit[:12], given.model))
    before, after = sides
    print(table(before, after))
    other = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if given.json:
        write_made(given.json, json.dumps({"before": before, "after": after, "other": other}, indent=1).encode())
    if other:
        raise SystemExit(f"{len(other)} files differ, e.g. {', '.join(other[:5])}")
    print(f"all {len(before)} files have the same bytes")


if __name__ == "__main__":
    main()
