"""The files of a trained network for the Hugging Face hub: weights and JSON, a card, and their manifest.

Nothing else of a model's folder is taken: no history, no predictions, no pictures. What would tell of the machine it
was made on is removed where its place is known (`_settings`, `_preprocessing`, `_card`), and refused anywhere else
(`private_words`). Sending the files belongs to `push`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import PurePath
from typing import Any

from nrdfer.core.errors import WeightsError
from nrdfer.core.markdown_text import table
from nrdfer.core.plain_text import one_line
from nrdfer.models.base import NetworkSettings
from nrdfer.models.trained_files import LAST, MODEL
from nrdfer.predict.model import Origin, load_trained
from nrdfer.preprocessing.spec import FILE, Preprocessing, WeightsFile
from nrdfer.publish.private_words import refuse_private
from nrdfer.registry.loading import CheckedNetwork, checked_weights
from nrdfer.weights.catalogue import CATALOGUE
from nrdfer.weights.hub_manifest import MANIFEST, HubManifest, ManifestFile
from nrdfer.weights.sample_network import CARD

README = "README.md"  # the hub shows it as the repository's page
_FRONT = "---\nlibrary_name: nrdfer\npipeline_tag: video-classification\ntags: [facial-expression-recognition]\n---\n\n"
#: Where a file of weights was, in the preprocessing that a card lists on one line.
_NEXT = "|".join(field.name for field in fields(Preprocessing))
_WEIGHTS_PATH = re.compile(rf",? ?\b(?:retinaface|enlightengan)\.path .*?(?=, (?:{_NEXT})[. ]|$)", re.MULTILINE)
_LINK = re.compile(r"\[([^\]\n]*)\]\([^)\s]*\)")
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s)>\]]+", re.I)


@dataclass(frozen=True)
class HubContent:
    """What would be published."""

    files: Mapping[str, bytes]  # name in the repository -> content
    note: str = ""  # on what was taken from elsewhere than the model


def content_of(model: str) -> HubContent:
    """The files of a trained network, checked as for its use.

    Args:
        model: a registered version, one on the hub, or a folder.

    Raises:
        WeightsError: there is no such model, its files are not what they were, or one of them tells of this machine
            or its user.
    """
    with checked_weights(model) as found:
        folder = found.folder
        trained = load_trained(folder / MODEL, folder / LAST, Origin(model, "", ""))
        settings = _settings(json.loads((folder / MODEL).read_text()))
        network = trained.network.settings
        card = _card(found, model, trained.warning, settings, network)
        files = {
            MODEL: json.dumps(settings, indent=1).encode(),  # the same bytes as a training writes
            LAST: (folder / LAST).read_bytes(),
            FILE: (json.dumps(_preprocessing(trained.preprocessing), indent=1) + "\n").encode(),
            README: (_FRONT + card).encode(),
        }
    for name, data in files.items():
        refuse_private(f"{name} of {model}", _texts(name, data))
    manifest = HubManifest(str(settings["model"]), network.emotions, _described(files))
    return HubContent({**files, MANIFEST: manifest.to_json()}, trained.note)


def _described(files: Mapping[str, bytes]) -> dict[str, ManifestFile]:
    return {name: ManifestFile(len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}


def _settings(described: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``model.json`` that opening a network needs; how it was computed on this machine is left out.

    Raises:
        WeightsError: its network is of a file, which the hub's models cannot have.
    """
    code = described.get("code", {})
    if "file" in code:
        raise WeightsError(
            f"the network {one_line(str(described['model'])[:80])} is of a file of yours, and models on the hub hold "
            "no code; make a package of it (docs/your_own_network.md), train with that, and push again"
        )
    return {name: described[name] for name in ("model", "settings", "recipe")} | ({"code": code} if code else {})


def _preprocessing(preprocessing: Preprocessing) -> dict[str, Any]:
    """Preprocessing whose weights are named by content: a path on this machine means nothing elsewhere."""

    def named(file: WeightsFile | None) -> WeightsFile | None:
        if file is None or file.path is None:
            return file
        known = next((name for name, pinned in CATALOGUE.items() if pinned.sha256 == file.sha256), None)
        if known is not None:
            return dataclasses.replace(file, name=known, path=None)
        return dataclasses.replace(file, path=PurePath(file.path).name)

    return dataclasses.replace(
        preprocessing,
        retinaface=named(preprocessing.retinaface),  # None: of another package's detector
        enlightengan=named(preprocessing.enlightengan),
    ).to_dict()


def _card(
    found: CheckedNetwork, model: str, warning: str, settings: Mapping[str, Any], network: NetworkSettings
) -> str:
    """The model's own card without addresses and paths, which lead to pages and weights here; else a short one."""
    text = _own_card(found)
    if text is None:
        recipe = {name: value for name, value in settings["recipe"].items() if not isinstance(value, Mapping)}
        text = (
            f"# {settings['model']}\n\nDynamic facial expression recognition with nrdfer: {network.frames} frames of "
            f"one face in, one of {network.classes} emotions out.\n\n## Recipe\n\n"
            f"{table(['', ''], [[name, str(value)] for name, value in recipe.items()])}\n\n## Meant for\n\nResearch on "
            "expressions in video. A person's face is not their feeling: not for judging people, hiring, policing, "
            "health, or watching anyone without their consent.\n"
        )
    plain = _ADDRESS.sub("(address removed)", _LINK.sub(r"\1", _WEIGHTS_PATH.sub("", text)))
    head, _, rest = plain.partition("\n\n")
    notice = f"**This model was {warning}.**\n\n" if warning else ""
    return f"{head}\n\n{notice}{rest}".rstrip() + f"\n\n## Files\n\n`{MANIFEST}` lists every file with its sha256.\n"


def _own_card(network: CheckedNetwork) -> str | None:
    folder, version = network.folder, network.version
    for name in (CARD, README):
        if (folder / name).is_file():
            text = (folder / name).read_text(encoding="utf-8")
            return text.removeprefix(_FRONT)
    return (version.description or None) if version is not None else None


def _texts(name: str, data: bytes) -> str:
    """All of a file that a person could read: of safetensors, the header."""
    if not name.endswith(".safetensors"):
        return data.decode("utf-8")
    length = int.from_bytes(data[:8], "little")
    try:
        about = json.loads(data[8 : 8 + length])
        return "\n".join([*about, *about.get("__metadata__", {}).values()])
    except (ValueError, AttributeError) as error:
        raise WeightsError(f"{name} is no safetensors file that can be published: {error}") from error
