"""Signatures: which process executes a run, written into the run's tags.

Keep out: the handling of a signature whose process has ended (``repair.py``).
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from nrdfer.core.processes import is_gone, signature

if TYPE_CHECKING:
    import dagster as dg

TAG_HOST = "nrdfer/host"
TAG_PROCESS = "nrdfer/process"  # "<pid>:<start time>": a pid alone may be taken by another process later


def signature_tags() -> dict[str, str]:
    """The tags of a run that this process executes."""
    return {TAG_HOST: socket.gethostname(), TAG_PROCESS: signature()}


def sign_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Record in the run's tags which process executes it."""
    instance.add_run_tags(run_id, signature_tags())


def is_signed(run: dg.DagsterRun) -> bool:
    """Whether the run names the process that executes it."""
    return TAG_PROCESS in run.tags and TAG_HOST in run.tags


def signer_is_gone(run: dg.DagsterRun) -> bool:
    """Whether a signed run's process was on this host and has ended."""
    return is_gone(run.tags[TAG_HOST], run.tags[TAG_PROCESS])
