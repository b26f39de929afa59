"""Choice of the model that answers where none is named, and of the detector that finds its faces, with the reasons.

The champion of this project's registry comes first, and the network that ships with the project where there is none.
A registry that does not answer ends in an error: another model must not take its place unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass

from nrdfer.core import addresses, paths
from nrdfer.core.errors import AbsentWeightsError, WeightsError
from nrdfer.predict.model import DEFAULT_MODEL, TrainedModel
from nrdfer.preprocessing.spec import shell_weights
from nrdfer.weights.catalogue import resolve
from nrdfer.weights.hub_version import pinned
from nrdfer.weights.locate import local_folder
from nrdfer.weights.sample_network import ADDRESS

#: Tried in this order. DFEW's network knows face pictures of another framing.
CHAMPIONS = (DEFAULT_MODEL, "models:/nr-dfernet-dfew@champion")
REAL_DETECTOR = "retinaface-mobilenet0.25"
REAL_MODEL = (
    "for a real one, train on DFEW or AFEW (README.md: On your own DFEW and AFEW), or name one with --model: a "
    "registered version, a trained folder, or hf://OWNER/NAME"
)


@dataclass(frozen=True)
class Choice:
    """A model's address, and why it is this one."""

    address: str
    reason: str


def choose_model(given: str | None = None) -> Choice:
    """The model to use; on the hub, a branch or tag is resolved to its commit.

    Args:
        given: address that a user named; None: champion or sample.

    Raises:
        WeightsError: the registry or the hub does not answer.
    """
    if given is not None:
        address = pinned(given)
        return Choice(address, "named by --model" if address == given else f"named by --model as {given}")
    store = paths.tracking_uri()
    database = addresses.sqlite_path(store)
    if database is not None and not database.is_file():
        if database.absolute() != paths.home() / "mlflow.db":
            raise WeightsError(
                f"the registry that MLFLOW_TRACKING_URI names, {database}, is not there: mount its disk, correct the "
                f"variable, or name a model with --model ({ADDRESS} is the one that ships with nrdfer)"
            )
        return Choice(ADDRESS, f"this project has no registry of models yet ({database}); {REAL_MODEL}")
    from nrdfer.registry.verified_open import has_version
    from nrdfer.tracking.client import Tracking

    try:
        tracking = Tracking()
        for address in CHAMPIONS:
            if has_version(tracking, address):
                return Choice(address, "the champion of this project's registry")
    except WeightsError as error:
        raise WeightsError(
            f"which model is the champion could not be asked, and none was named: {error}. Name one with --model; "
            f"--model {ADDRESS} is the one that ships with nrdfer, for trying it"
        ) from error
    return Choice(
        ADDRESS, f"the registry {addresses.displayed(store)} has neither {' nor '.join(CHAMPIONS)}; {REAL_MODEL}"
    )


def choose_detector(model: TrainedModel) -> str | None:
    """The detector for real faces that the shipped model is given where it is on this machine; else None.

    Any other model has the detector it was trained with. No connection is opened. The file is looked for where
    `Preprocessing.overridden` finds it by the name.

    Raises:
        WeightsError: the profile's folder of weights is missing, or the file is damaged.
        ProfileError: the shell's profile cannot be read.
    """
    if model.origin.address != ADDRESS:
        return None
    folder = local_folder(shell_weights().folder)
    if folder is not None and not folder.exists():
        raise WeightsError(
            f"the folder of weights {folder} does not exist; create it, or correct NRDFER_WEIGHTS or the profile"
        )
    try:
        resolve(REAL_DETECTOR, folder)
    except AbsentWeightsError:  # not here: the model's own is used, which the command says
        return None
    return REAL_DETECTOR
