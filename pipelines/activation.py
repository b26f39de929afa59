"""Advice for Dagster's own command in a shell without the project's environment, in which it finds no jobs.

Dagster opens the storage that ``dagster.yaml`` names before it looks for the jobs, so the storage says it. Keep out:
the environment (``project/environment.py``).
"""

from __future__ import annotations

import itertools
import os
import shlex
import sys
from collections.abc import Mapping, Sequence

from nrdfer.core.plain_text import one_line

_COMMANDS = (["job", "execute"], ["asset", "materialize"])
_GIVEN = ("DAGSTER_MODULE_NAME", "DAGSTER_PYTHON_FILE", "DAGSTER_PACKAGE_NAME")
_OPTIONS = ("-m", "--module-name", "-f", "--python-file", "--package-name", "-d", "--autoload-defs-module-name")


def advise() -> None:
    """Print what to type if this process is a command of Dagster that cannot find the project's jobs."""
    words = advice(sys.argv, os.environ)
    if words:
        sys.stderr.write(f"{words}\n")


def advice(line: Sequence[str], environment: Mapping[str, str]) -> str:
    """What to type instead of a command line; empty if it names the jobs' module, or is another command."""
    if list(line[1:3]) not in _COMMANDS or any(environment.get(name) for name in _GIVEN):
        return ""
    options = {word.partition("=")[0] for word in line[3:]}
    if options & set(_OPTIONS):
        return ""
    job = next((after for word, after in itertools.pairwise(line) if word in ("-j", "--job")), "")
    instead = f"nrdfer run {shlex.quote(job)}" if job else "nrdfer run"
    return one_line(
        "this shell was not activated, so Dagster does not find the project's jobs. Type `. .venv/bin/activate` "
        f"(after nrdfer init: `. ./activate.sh`) and the same line again; or, which works in any shell: {instead}"
    )
