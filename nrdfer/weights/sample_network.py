"""The trained network that ships with the project, for trying it without a training: small, and of rendered faces only.

Training it belongs to ``devtools.pretraining.nrdfernet``, which is not installed; it writes the sha256 of each file.
"""

from __future__ import annotations

import json
from pathlib import Path

from nrdfer.core.errors import WeightsError
from nrdfer.weights.catalogue import content_ids, refuse_pointer

ADDRESS = "sample"  # where a command takes a model
TITLE = "nr-dfernet-sample"
CARD, FIGURES = "model_card.md", "measurements.json"  # beside the files that are loaded
FILES = ("model.json", "last.safetensors", "preprocessing.json")  # that are loaded
FOLDER = Path(__file__).parent / "sample" / "nr-dfernet"
_AGAIN = "install the project again"


def sample_network(folder: Path = FOLDER) -> Path:
    """Folder of the network, its content checked.

    Raises:
        WeightsError: the installation lacks a file, or has other content in it.
    """
    for name, digest in listed(folder).items():
        path = folder / name
        if not path.is_file():
            raise WeightsError(f"{path}, of the sample network, is missing from this installation; {_AGAIN}")
        refuse_pointer(path)
        if (there := content_ids(path)[0]) != digest:
            raise WeightsError(
                f"{path} is not the file that ships with this version: its sha256 is {there[:12]}, expected "
                f"{digest[:12]}; {_AGAIN}"
            )
    return folder


def listed(folder: Path = FOLDER) -> dict[str, str]:
    """Each file that is loaded, and its sha256, as the training wrote them.

    Raises:
        WeightsError: the list is missing or damaged.
    """
    path = folder / FIGURES
    try:
        digests = json.loads(path.read_bytes())["sha256"]
        return {name: str(digests[name]) for name in FILES}
    except FileNotFoundError as error:
        raise WeightsError(f"the sample network is missing from this installation ({path}); {_AGAIN}") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(f"{path} does not list the sample network's files ({error!r}); {_AGAIN}") from error
