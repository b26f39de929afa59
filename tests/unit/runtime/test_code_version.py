"""The code that makes something is named by what it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from nrdfer.runtime.code_version import code_version, has_commit
from tests.conftest import PROJECT

ASK = "from nrdfer.runtime.code_version import code_version; import json; print(json.dumps(code_version().to_dict()))"


def test_this_checkout_names_its_commit_and_its_sources() -> None:
    found = code_version()
    assert len(found.sources) == 64
    if (PROJECT / ".git").exists():
        assert len(found.commit) == 40
        assert has_commit(found.commit)
        assert has_commit("0" * 40) is False


def test_a_copy_without_a_checkout_has_the_same_sources_until_one_is_changed(tmp_path: Path) -> None:
    import json

    for package in ("nrdfer", "assets", "pipelines"):
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))

    def ask() -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-c", ASK], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    copy = ask()
    assert (copy["commit"], copy["sources"]) == ("", code_version().sources)
    with (tmp_path / "assets" / "step_results.py").open("a") as handle:
        handle.write("# changed\n")
    assert ask()["sources"] != copy["sources"]
