"""Dagster definitions: jobs, executor, instance, repair, resources, sensors, checks and profiles; commands to run jobs.

Keep out: assets (``assets/``) and any computation (``nrdfer/``).
"""

from importlib.util import find_spec
from pathlib import Path


def _refuse_other_assets() -> None:
    """Refuse a package ``assets`` of somebody else, which Python would import in the place of this project's.

    Raises:
        ImportError: names it, and what to do.
    """
    found = find_spec("assets")
    origin = None if found is None else found.origin
    ours = Path(__file__).absolute().parents[1] / "assets"
    if origin is None or Path(origin).absolute().parent != ours:
        raise ImportError(
            f"Python imports the package 'assets' from {origin or 'nowhere'}, not from {ours}: nrdfer's graph consists "
            "of the packages 'assets' and 'pipelines', and another package of that name is in the way. Run the command "
            "in another folder, take that one out of PYTHONPATH, or install nrdfer in an environment of its own",
            name="assets",
            path=origin,
        )


_refuse_other_assets()
