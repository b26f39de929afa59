"""Which weights file a profile means: the shipped sample, a pinned published file, or the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from nrdfer import paths
from nrdfer.config import WeightsConfig
from nrdfer.errors import WeightsError
from nrdfer.weights import CATALOGUE, resolve, sample_weights


def network_weights(network: Literal["retinaface", "enlightengan"], config: WeightsConfig) -> Path:
    """The weights file of one of the two pretrained networks.

    Raises:
        WeightsError: it cannot be found (the message says where to get it), or its content is not the pinned one.
    """
    value: str = getattr(config, network)
    if value == "sample":
        return sample_weights(network)
    if value in CATALOGUE:
        folder = Path(config.folder).expanduser() if config.folder else paths.weights_folder()
        if not config.folder and not folder.is_dir():
            return resolve(value, None, allow_download=config.allow_download)
        return resolve(value, folder, allow_download=config.allow_download)
    path = Path(value).expanduser()
    if not path.is_file():
        raise WeightsError(
            f"weights.{network} is {value!r}: neither 'sample', nor a known name ({', '.join(CATALOGUE)}), nor a file"
        )
    return path
