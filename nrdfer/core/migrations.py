"""Lists of a database's migrations, read once: alembic reads every file of such a list whenever it compares versions.

Dagster compares them for each database that a process opens, MLflow for its own: some three hundred files in each step.
Keep out: opening databases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

_PLACES = ("script_location", "version_locations")  # all that the packages used here say of a list
_kept: dict[tuple[str | None, ...], ScriptDirectory] = {}


def keep_lists() -> None:
    """Let alembic use the lists that this process, or the one that it was forked from, has read already."""
    from alembic.script import ScriptDirectory

    read = ScriptDirectory.from_config
    if read.__module__ == __name__:
        return

    def from_config(_: type[ScriptDirectory], config: Config) -> ScriptDirectory:
        key = tuple(config.get_main_option(place) for place in _PLACES)
        if key not in _kept:
            _kept[key] = read(config)
        return _kept[key]

    ScriptDirectory.from_config = classmethod(from_config)  # type: ignore[method-assign, assignment]


def read_list(location: str) -> None:
    """Read a list ahead.

    Args:
        location: its folder, or a package and a folder in it, as ``package:folder``.
    """
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", location.replace("%", "%%"))
    keep_lists()
    ScriptDirectory.from_config(config).get_heads()
