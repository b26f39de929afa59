"""A trained network with all that prediction needs: sampling, preprocessing, and its origin.

Finding weights by an address belongs to `nrdfer.registry`; asking, to `inference`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrdfer.predict.temperature import read_temperature
from nrdfer.preprocessing.spec import FILE, Preprocessing
from nrdfer.store import file_sha256
from nrdfer.weights import sample_network
from nrdfer.weights.hub_address import SCHEME, parse_hub_address

if TYPE_CHECKING:
    from nrdfer.data.settings import Sampling
    from nrdfer.models.base import ClipNetwork
    from nrdfer.registry.loading import CheckedNetwork

#: AFEW's network learned from crops made exactly as those of a user's video; DFEW's pictures are framed otherwise.
DEFAULT_MODEL = "models:/nr-dfernet-afew@champion"
#: Of the network that ships with the project, and of those of other trainings with the detector that does.
RENDERED = "trained on rendered faces only: for trying the tool, not for conclusions about anyone"
FACES_OF_SAMPLE = (
    "trained on faces that the shipped detector found, which has seen rendered ones only: for trying the tool, not for "
    "conclusions about anyone"
)


@dataclass(frozen=True)
class Origin:
    """Origin of the network that made a prediction."""

    address: str  # as it was given
    settings_sha256: str  # of model.json
    weights_sha256: str  # of last.safetensors
    name: str | None = None  # of a registered version
    version: str | None = None
    run_id: str | None = None  # MLflow's, of the training

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)

    @property
    def title(self) -> str:
        """For pictures and tables."""
        if self.name:
            return f"{self.name} version {self.version}"
        place = Path(self.address).absolute().name
        return place if len(place) < 40 else place[:12]  # the store names folders by digests


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A network ready for inference."""

    network: ClipNetwork
    sampling: Sampling
    preprocessing: Preprocessing
    origin: Origin
    temperature: float | None = None  # by which logits become calibrated probabilities, if one was fitted
    note: str = ""  # where the preprocessing comes from, if not from the model

    @property
    def warning(self) -> str:
        """What everyone who sees a prediction of it must know; empty if nothing."""
        if self.origin.address == sample_network.ADDRESS:
            return RENDERED
        detector = self.preprocessing.retinaface
        return FACES_OF_SAMPLE if detector is not None and detector.name == "sample" else ""

    @property
    def caption(self) -> str:
        """Which model answered, with the warning, for pictures."""
        return "; ".join(filter(None, (self.origin.title, self.warning)))


def open_model(address: str = DEFAULT_MODEL) -> TrainedModel:
    """Open a trained network: of the registry, the hub, the installation, or a folder.

    Without a ``preprocessing.json`` beside the weights, that of the shell's profile is used, and `note` states it.

    Args:
        address: ``models:/...``, ``hf://owner/name@revision``, ``sample``, or a folder with ``model.json`` and
            ``last.safetensors``.

    Raises:
        WeightsError: no such model, or it cannot be loaded.
        ProfileError: it has a setting that this version does not know.
    """
    from nrdfer.registry import checked_weights
    from nrdfer.weights.hub_version import pinned

    address = pinned(address)  # once: a branch may move meanwhile
    with checked_weights(address) as network:
        return load_trained(network.description, network.weights, _origin(address, network))


def load_trained(settings: Path, weights: Path, origin: Origin) -> TrainedModel:
    """As `open_model`, for files that are already there."""
    from nrdfer.models.saved_model import load_model, read_sampling

    network = load_model(settings, weights)
    beside, temperature = settings.with_name(FILE), read_temperature(settings.parent)
    if beside.is_file():
        return TrainedModel(network, read_sampling(settings), Preprocessing.read(beside), origin, temperature)
    from nrdfer.config.resolve import profile_of_shell

    profile = profile_of_shell()
    note = (
        f"the model carries no {FILE}; videos are prepared as the profile {profile.name!r} of this shell says "
        "(set NRDFER_PROFILE to the one it was trained with)"
    )
    return TrainedModel(network, read_sampling(settings), Preprocessing.of_profile(profile), origin, temperature, note)


def _origin(address: str, network: CheckedNetwork) -> Origin:
    digests, version = (file_sha256(network.description), file_sha256(network.weights)), network.version
    if address == sample_network.ADDRESS:
        return Origin(address, *digests, name=sample_network.TITLE, version=digests[1][:8])
    if address.startswith(SCHEME):
        of_hub = parse_hub_address(address)
        return Origin(address, *digests, name=of_hub.repo, version=of_hub.revision)
    if version is None:
        return Origin(address, *digests)
    return Origin(address, *digests, name=version.name, version=version.version, run_id=version.run_id)
