"""Start every service of a cluster on this machine, from packages: ``make cluster``.

    python -m scripts.cluster [--run] [--workers 2] [--folder DIR]

The services of ``deploy/compose.yaml`` without Docker: PostgreSQL, an object store, MLflow's server, Dagster's web
server and daemon, a Ray head and workers. All listen on 127.0.0.1 (Ray's own ports on every
address, behind a token) and keep what they make in one folder. With
``--run`` it then types ``dagster job execute -j full_reproduction`` with the profile of ``NRDFER_PROFILE`` (sample),
whose steps run on the workers. It ends everything on Ctrl-C, or after the run. The object store keeps its objects in
memory, so a folder is not started a second time. Keep out: the services for one machine (``pipelines/pages``).
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from devtools.cluster_services import SERVICES, Cluster, ServiceError
from devtools.own_places import take_folder
from devtools.postgres_server import missing


def main() -> int:
    """Run until a signal or the end of the run; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true", help="the whole job on the workers, and end")
    parser.add_argument("--workers", type=int, default=2, help="of Ray (2)")
    parser.add_argument("--folder", type=Path, help="a new one, which is kept; a temporary one otherwise")
    given = parser.parse_args()
    if reason := missing():
        print(reason, file=sys.stderr)
        return 1

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        with ExitStack() as stack:
            made = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cluster-")))
            folder = made.resolve()
            take_folder(folder)
            folder.chmod(0o711)  # the database's own user passes through it
            print(f"starting {', '.join(SERVICES)}; their logs are in {folder}", flush=True)
            cluster = Cluster(folder, given.workers, stack)
            for name, address in cluster.addresses.items():
                print(f"{name:13}  {address}", flush=True)
            if given.run:
                return cluster.run()
            print("Ctrl-C ends all.", flush=True)
            cluster.watch()
    except KeyboardInterrupt:
        return 0
    except (ServiceError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
