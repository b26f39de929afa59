"""Resolution of a profile's weights setting: the shipped sample, a pinned published file, or the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from nrdfer.config.profile import WeightsConfig
from nrdfer.core import paths
from nrdfer.core.coerce import brief
from nrdfer.core.errors import WeightsError
from nrdfer.weights.catalogue import CATALOGUE, resolve, sample_weights


def local_folder(given: str | None) -> Path | None:
    """Folder that is searched first for a user's weights: the given one, else this project's own if it exists.

    Raises:
        WeightsError: it is in the home of an unknown user.
    """
    if given:
        try:
            return Path(given).expanduser()
        except RuntimeError as error:
            raise WeightsError(f"no weights can be in {brief(given)}: there is no such user") from error
    return paths.weights_folder() if paths.weights_folder().is_dir() else None


def network_weights(network: Literal["retinaface", "enlightengan"], config: WeightsConfig) -> Path:
    """The weights file of one of the two pretrained networks.

    Raises:
        WeightsError: it cannot be found (the message says where to get it), or its content is not the pinned one.
    """
    value: str = getattr(config, network)
    if value == "sample":
        return sample_weights(network)
    if value in CATALOGUE:
        return resolve(value, local_folder(config.folder), allow_download=config.allow_download)
    path = Path(value).expanduser()
    if not path.is_file():
        raise WeightsError(
            f"weights.{network} is {value!r}: neither 'sample', nor a known name ({', '.join(CATALOGUE)}), nor a file"
        )
    return path
