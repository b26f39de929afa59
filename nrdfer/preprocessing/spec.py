"""Everything that turns a video into the crops a network was trained on, as one value that travels with the network.

A registered version carries it as ``preprocessing.json``. Only the settings and the identity of the weights belong
here; running them belongs to `nrdfer.predict.crops`.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nrdfer.config.alignment import MODES, RETINAFACE, AlignSettings
from nrdfer.config.profile import Profile, WeightsConfig
from nrdfer.config.settings import build_settings
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.coerce import brief
from nrdfer.core.errors import ProfileError, WeightsError
from nrdfer.core.plugins import DETECTORS, find_plugin
from nrdfer.store import file_sha256
from nrdfer.weights.catalogue import CATALOGUE
from nrdfer.weights.locate import local_folder, network_weights

FILE = "preprocessing.json"  # beside model.json
SCHEMA = 1
Network = Literal["retinaface", "enlightengan"]


@dataclass(frozen=True)
class WeightsFile:
    """A weights file, identified by content; its path is only a hint."""

    name: str  # "sample", a name of nrdfer.weights.catalogue.CATALOGUE, or the file's own name
    sha256: str
    convention: str | None = None  # RetinaFace only: faces.conventions; None where the content determines it
    path: str | None = None  # of a file that has no other name

    def locate(self, network: Network) -> Path:
        """Path of the file on this machine, its content checked.

        Raises:
            WeightsError: it is not here, or has other content.
        """
        if self.path is not None:
            return self._located_by_content(network)
        config = shell_weights()
        config = (
            dataclasses.replace(config, retinaface=self.name)
            if network == "retinaface"
            else dataclasses.replace(config, enlightengan=self.name)
        )
        found = network_weights(network, config)
        if file_sha256(found) != self.sha256:
            raise WeightsError(
                f"{found} is not the {network} file that the model was trained with: its sha256 is "
                f"{file_sha256(found)}, expected {self.sha256}. Another version of this project ships other sample "
                "weights; give the right file, or name this one explicitly on the command line"
            )
        return found

    def _located_by_content(self, network: Network) -> Path:
        given = Path(self.path or "")
        folder = local_folder(os.environ.get("NRDFER_WEIGHTS"))
        inside = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder and folder.is_dir() else []
        for path in [given, *inside]:
            if path.is_file() and file_sha256(path) == self.sha256:
                return path
        raise WeightsError(
            f"the model was trained with {network} weights {self.name} with sha256 {self.sha256}; no such file is at "
            f"{given} or in {folder or 'NRDFER_WEIGHTS (not set)'}. Put it there, or name another one explicitly"
        )


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing from a video to crops.

    Raises:
        ValueError: an unknown mode, a quality that JPEG does not have, brightening or RetinaFace without weights, or
            another package's detector without a record of its code.
    """

    align: AlignSettings
    retinaface: WeightsFile | None  # None with the detector of another package
    enhance: str = "none"  # none | crop | frame: see nrdfer.preprocessing.enhance
    enlightengan: WeightsFile | None = None  # None with enhance "none"
    jpeg_quality: int = 95  # of the shards: a network has never seen a crop that was not a JPEG
    detector: Mapping[str, str] | None = None  # of another package, `nrdfer.core.plugins.Code`; None with RetinaFace

    def __post_init__(self) -> None:
        if self.enhance not in MODES:
            raise ValueError(f"enhance must be one of {', '.join(MODES)}, not {self.enhance!r}")
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality must be in 1 to 100, not {self.jpeg_quality}")
        if (self.enlightengan is None) != (self.enhance == "none"):
            raise ValueError(f"enhance {self.enhance!r} and EnlightenGAN weights {self.enlightengan} contradict")
        own = self.align.detector == RETINAFACE
        if own != (self.retinaface is not None) or own != (self.detector is None):
            raise ValueError(
                f"the detector {self.align.detector!r}, RetinaFace weights {self.retinaface} and a record of another "
                f"package's detector {self.detector} contradict"
            )

    @classmethod
    def of_profile(cls, profile: Profile) -> Preprocessing:
        """Preprocessing of a profile. The weights are looked for as in training, and hashed.

        Raises:
            WeightsError: weights cannot be found, or are not the pinned ones.
            ProfileError: a setting that is not known, or a value that is refused.
            PluginError: a detector of another package that cannot be used.
        """
        brightening = None if profile.enhance == "none" else weights_file("enlightengan", profile.weights)
        own = profile.align.detector == RETINAFACE
        return cls(
            align=profile.align,
            retinaface=weights_file("retinaface", profile.weights) if own else None,
            detector=None if own else detector_code(profile.align.detector),
            enhance=profile.enhance,
            enlightengan=brightening,
            jpeg_quality=profile.shards.jpeg_quality,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON; the inverse of `from_dict`. With RetinaFace, as before there were others."""
        values = {"schema": SCHEMA, **dataclasses.asdict(self)}
        if self.detector is None:
            del values["detector"], values["align"]["detector"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = FILE) -> Preprocessing:
        """Rebuild from parsed JSON.

        Raises:
            WeightsError: written by another version of this project.
            ProfileError: a setting that is not known, or a value that is refused.
        """
        if values.get("schema") != SCHEMA:
            raise WeightsError(f"{where} has schema {values.get('schema')!r}; this version reads {SCHEMA}")
        given = {name: value for name, value in values.items() if name != "schema"}
        return build_settings(cls, given, where)

    def write(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_whole(path, (json.dumps(self.to_dict(), indent=1) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> Preprocessing:
        """Read what `write` wrote.

        Raises:
            WeightsError: the file cannot be read as such.
        """
        try:
            values = json.loads(path.read_text())
            if not isinstance(values, dict):
                raise ValueError(f"it holds a {type(values).__name__}")
        except (OSError, ValueError, RecursionError) as error:
            raise WeightsError(f"{path} does not describe preprocessing: {error}") from error
        return cls.from_dict(values, str(path))

    def overridden(
        self, *, retinaface: str | None = None, convention: str | None = None, enhance: str | None = None, **align: Any
    ) -> tuple[Preprocessing, tuple[str, ...]]:
        """Preprocessing with other settings laid over, and the differences from the training, as text.

        A detector of other content brings the usual `max_side`, if that of the training is smaller and none is given:
        a training on large faces does not determine the size that another detector needs.

        Args:
            retinaface: a name or a path, as in a profile; instead of another package's detector, too.
            convention: input convention of a file that does not state it.
            enhance: another mode; "crop" and "frame" take the training's EnlightenGAN, else the shell's profile's.
            **align: fields of `AlignSettings`.

        Raises:
            WeightsError: weights cannot be found.
            ProfileError: a value that is refused.
            PluginError: a detector of another package that cannot be used.
        """
        changed = self
        detector = align.pop("detector", None)
        if retinaface is not None and detector not in (None, RETINAFACE):
            raise ProfileError(
                f"detector {brief(detector)} and RetinaFace's weights {brief(retinaface)}: give one of them"
            )
        if detector not in (None, RETINAFACE, self.align.detector):
            changed = self._detected_by(detector, None, detector_code(detector))
        elif detector == RETINAFACE and self.retinaface is None:
            retinaface = retinaface or shell_weights().retinaface
        if align:
            fields = {**dataclasses.asdict(changed.align), **align}
            changed = dataclasses.replace(changed, align=build_settings(AlignSettings, fields, "prediction"))
        if retinaface is not None:
            config = dataclasses.replace(shell_weights(), retinaface=retinaface, retinaface_convention=convention)
            weights = weights_file("retinaface", config)
            changed = changed._detected_by(RETINAFACE, weights, None)
            usual = AlignSettings().max_side
            if (self.retinaface is None or weights.sha256 != self.retinaface.sha256) and "max_side" not in align:
                larger = dataclasses.replace(changed.align, max_side=max(changed.align.max_side, usual))
                changed = dataclasses.replace(changed, align=larger)
        if enhance is not None and enhance != self.enhance:
            changed = changed._enhanced(enhance)
        return changed, tuple(_differences(self, changed))

    def _detected_by(self, name: str, retinaface: WeightsFile | None, code: Mapping[str, str] | None) -> Preprocessing:
        align = dataclasses.replace(self.align, detector=name)
        return dataclasses.replace(self, align=align, retinaface=retinaface, detector=code)

    def _enhanced(self, mode: str) -> Preprocessing:
        from nrdfer.preprocessing.enhance import check_mode

        check_mode(mode, "prediction")
        brightening = None
        if mode != "none":
            brightening = self.enlightengan or weights_file("enlightengan", shell_weights())
        return dataclasses.replace(self, enhance=mode, enlightengan=brightening)


def weights_file(network: Network, config: WeightsConfig) -> WeightsFile:
    """The file that a profile's weights setting refers to for one of the networks, hashed.

    Raises:
        WeightsError: it cannot be found, or its content is not the pinned one.
    """
    path, value = network_weights(network, config), str(getattr(config, network))
    named = value == "sample" or value in CATALOGUE
    return WeightsFile(
        name=value if named else path.name,
        sha256=file_sha256(path),
        convention=config.retinaface_convention if network == "retinaface" else None,
        path=None if named else str(path.absolute()),
    )


def detector_code(name: str) -> dict[str, str]:
    """The record of the code of another package's detector; nothing is imported.

    Raises:
        ProfileError: no installed package has a detector of that name.
        PluginError: several have.
    """
    return find_plugin(DETECTORS, name, (RETINAFACE,)).code()


def shell_weights() -> WeightsConfig:
    """The weights of this shell's profile: how those are found that a user names for a prediction."""
    from nrdfer.config.resolve import profile_of_shell

    return profile_of_shell().weights


def _differences(before: Preprocessing, after: Preprocessing) -> list[str]:
    """Differences between two preprocessings, as text."""
    changes = []
    for field in dataclasses.fields(AlignSettings):
        old, new = getattr(before.align, field.name), getattr(after.align, field.name)
        if old != new:
            changes.append(f"{field.name} {new} instead of {old}")
    old_weights, new_weights = before.retinaface, after.retinaface
    if old_weights is not None and new_weights is not None and old_weights.sha256 != new_weights.sha256:
        changes.append(f"RetinaFace {new_weights.name} instead of {old_weights.name}")
    if before.enhance != after.enhance:
        changes.append(f"enhance {after.enhance} instead of {before.enhance}")
    return changes
