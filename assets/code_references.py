"""Source line of every asset, for its definition in the graph and for every materialisation.

Keep here: finding lines. Keep out: what applies to all assets (``pipelines/asset_specs.py``).
"""

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg


def place_of(made_by: Any) -> tuple[str, int]:
    """File and line of a function or class, of what a partial calls, or of the function that a Dagster op calls."""
    made_by = getattr(made_by, "func", made_by)
    compute = getattr(made_by, "compute_fn", None)
    function = getattr(compute, "decorated_fn", compute) or made_by
    _, line = inspect.getsourcelines(function)
    return str(inspect.getsourcefile(function)), line


def source_of(made_by: Any) -> dg.PathMetadataValue:
    """``file:line`` as metadata of a materialisation; see `place_of`."""
    file, line = place_of(made_by)
    return dg.MetadataValue.path(f"{file}:{line}")


def code_reference(made_by: Any) -> Mapping[str, Any]:
    """Metadata of an asset's definition that links to a line beside the asset's own function."""
    file, line = place_of(made_by)
    label = getattr(made_by, "func", made_by).__name__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # code references; tested here
        reference = dg.LocalFileCodeReference(file_path=file, line_number=line, label=label)
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}
