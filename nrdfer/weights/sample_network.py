"""The trained network that ships with the project, for trying it without a training: small, and of rendered faces only.

Its content is pinned here; training it belongs to ``devtools.pretraining.nrdfernet``, which is not installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nrdfer.core.errors import WeightsError
from nrdfer.weights.catalogue import content_ids, refuse_pointer

ADDRESS = "sample"  # where a command takes a model
TITLE = "nr-dfernet-sample"
CARD, FIGURES = "model_card.md", "measurements.json"  # beside the files that are loaded
FOLDER = Path(__file__).parent / "sample" / "nr-dfernet"
#: Each file that is loaded, and its sha256.
CONTENT: Mapping[str, str] = {
    "model.json": "4e73002ae1348b51a86420ab3498556d734f8453b5cff58d76303a594613bfe3",
    "last.safetensors": "8d1dd4c07eb3b87cf1fd107dd7659ee62fa44e33cdee14b071b5a6df0951b0f1",
    "preprocessing.json": "39d304ca2dcdf521cd5694b3687c051061af1669917e2fd47613b6808a0a7058",
}


def sample_network(folder: Path = FOLDER, content: Mapping[str, str] = CONTENT) -> Path:
    """Folder of the network, its content checked.

    Raises:
        WeightsError: the installation lacks a file, or has other content in it.
    """
    again = "install the project again"
    for name, digest in content.items():
        path = folder / name
        if not path.is_file():
            raise WeightsError(f"{path}, of the sample network, is missing from this installation; {again}")
        refuse_pointer(path)
        if (there := content_ids(path)[0]) != digest:
            raise WeightsError(
                f"{path} is not the file that ships with this version: its sha256 is {there[:12]}, expected "
                f"{digest[:12]}; {again}"
            )
    return folder
