"""Commands that start a process in namespaces of its own, as a container or another host would have them.

Keep out: what is started there (`devtools.chaos.live_run`).
"""

from __future__ import annotations

import shutil
import subprocess
import sys

#: With its own process table, under this host's name.
CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
#: With its own process table, under another host's name.
OTHER_HOST = [*CONTAINER, "--uts", "sh", "-c", 'hostname another-host; exec "$@"', "sh"]


def why_not() -> str:
    """Reason why namespaces cannot be made here; empty if they can."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return "namespaces are Linux's, made by unshare"
    done = subprocess.run([*OTHER_HOST, "true"], capture_output=True, text=True)  # noqa: S603
    return "" if done.returncode == 0 else f"namespaces cannot be made: {done.stderr.strip()}"
