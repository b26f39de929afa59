"""Files of a new project's folder, as ``nrdfer init`` writes them."""

from __future__ import annotations

from pathlib import Path

from nrdfer.core.atomic_files import move_new, temporary_beside, write_whole
from nrdfer.core.errors import NotOursError
from nrdfer.core.project_folder import is_project

HERE = Path(__file__).parent
ACTIVATE = "activate.sh"
_FIRST = """\
# Source this file (`. {name}`), and the plain commands of Dagster and MLflow work in this folder as typed. `nrdfer`'s
# commands need it only outside of this folder.
_NRDFER_ROOT=$(cd "$(dirname "${{BASH_SOURCE[0]:-$0}}")" && pwd)
"""


def contents() -> dict[str, bytes]:
    """Name -> content of each file."""
    copied = {name: (HERE / name).read_bytes() for name in ("dagster.yaml", "workspace.yaml")}
    first = _FIRST.format(name=ACTIVATE).encode()
    return {**copied, ACTIVATE: first + (HERE / "environment.sh").read_bytes()}


def write_project(folder: Path) -> tuple[list[str], list[str]]:
    """Write what a folder lacks to be a project's; what is there is never touched.

    Returns:
        Names that were written, and names of files that a project of this folder has otherwise than a new one.

    Raises:
        NotOursError: the folder is no project's, and holds other files of these names; nothing was written.
        OSError: it cannot be written.
    """
    files = contents()
    there = {name: (folder / name).read_bytes() for name in files if (folder / name).is_file()}
    others = [name for name in files if there.get(name, files[name]) != files[name] or (folder / name).is_dir()]
    if others and not (is_project(folder) and all(name in there for name in others)):
        raise NotOursError(
            f"{folder} has {', '.join(others)} already, not as a new project has it; nothing was written. Choose "
            "another folder, or rename what is there"
        )
    missing = [name for name in files if name not in there]
    for name in missing:
        _write_new(folder / name, files[name])
    return missing, others


def _write_new(path: Path, data: bytes) -> None:
    temporary = temporary_beside(path)
    write_whole(temporary, data)
    try:
        move_new(temporary, path)
    except FileExistsError as error:
        raise NotOursError(f"{path} was just made by somebody else, and stays as it is") from error
    finally:
        temporary.unlink(missing_ok=True)
