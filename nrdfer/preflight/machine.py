"""Weights, devices and ffmpeg that a run asks for, as this machine has them; nothing imports torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from nrdfer.config.alignment import RETINAFACE
from nrdfer.config.profile import Profile
from nrdfer.core.errors import AbsentWeightsError, NrdferError
from nrdfer.corpora.registry import CORPORA
from nrdfer.preflight.plan import Fault, Plan
from nrdfer.runtime import nvidia

_OTHERS = "nvidia-smi lists the cards; device: cpu (in a profile also engine: {device: cpu}) computes without one"


def weights_faults(plan: Plan) -> Iterator[Fault]:
    """Weights of the detector and the enhancer that are neither here nor can be fetched, or are not what they claim.

    Face pictures need neither to be trained on, but an evaluation registers a version, which records both.
    Where the run is up to date, a file of the right name and size is enough: the step that uses it verifies it.
    """
    profile, networks = plan.profile, list[Literal["retinaface", "enlightengan"]]()
    registers = any(plan.evaluated(corpus) for corpus in CORPORA.values())
    detects = any(plan.makes(corpus, "aligned_faces") for corpus in plan.corpora)
    enhances = any(plan.makes(corpus, "enhanced_faces") for corpus in plan.corpora)
    if (registers or detects) and profile.align.detector == RETINAFACE:
        networks.append("retinaface")
    if (registers or enhances) and profile.enhance != "none":
        networks.append("enlightengan")
    for network in networks:
        if not plan.absent and _seems_there(profile, network):
            continue
        if (problem := weights_problem(profile, network)) is not None:
            yield Fault(f"weights of {network}", problem, of_machine=not _folder_is_here(profile))


def weights_problem(profile: Profile, network: Literal["retinaface", "enlightengan"]) -> str | None:
    """Why the weights of a network cannot be used; None if they are here and right, or will be downloaded."""
    from nrdfer.weights.locate import network_weights

    try:
        network_weights(network, dataclasses.replace(profile.weights, allow_download=False))
    except AbsentWeightsError as error:
        downloads = profile.weights.allow_download and _is_on_hub(getattr(profile.weights, network))
        if downloads and not _is_offline():
            return None
        offline = " HF_HUB_OFFLINE is set, so nothing is downloaded." if downloads else ""
        return f"profile {profile.name}: {error}{offline}{_without(network)}"
    except NrdferError as error:
        return f"profile {profile.name}: {error}"
    return None


def _without(network: str) -> str:
    return " Or skip the stage on purpose: enhance: none in the profile" if network == "enlightengan" else ""


def _is_on_hub(name: str) -> bool:
    from nrdfer.weights.catalogue import CATALOGUE

    return name in CATALOGUE and CATALOGUE[name].repo is not None


def _is_offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _seems_there(profile: Profile, network: str) -> bool:
    from nrdfer.diagnostics.pretrained import find_likely
    from nrdfer.weights.catalogue import CATALOGUE
    from nrdfer.weights.locate import local_folder

    name = getattr(profile.weights, network)
    if name in CATALOGUE:
        return find_likely(CATALOGUE[name], local_folder(profile.weights.folder)) is not None
    return name == "sample" or Path(name).expanduser().is_file()


def _folder_is_here(profile: Profile) -> bool:
    given = profile.weights.folder
    return given is not None and Path(given).expanduser().exists()


def device_faults(plan: Plan) -> Iterator[Fault]:
    """Devices of the profile that PyTorch will not find, as far as that is known without importing it."""
    profile = plan.profile
    if not plan.computes:
        return
    for setting, device in {"device": profile.device, "engine: device": profile.engine.device}.items():
        if (problem := device_problem(device)) is not None:
            yield Fault(f"GPU ({setting}: {device})", f"profile {profile.name}: {problem}", of_machine=True)


def device_problem(device: str) -> str | None:
    """Why a device cannot be used here; None if nothing is known against it."""
    if device == "cpu":
        return None
    cards, build = nvidia.find_cards(), nvidia.torch_build()
    if device == "cuda" and (build is None or not build.other_gpus) and not cards.there:
        return f"a GPU is requested and this machine has no NVIDIA card; {_OTHERS}"
    if not cards.there or (build is not None and build.other_gpus):
        return None
    unseen = nvidia.known_obstacle(cards, build)
    if unseen is None or (device == "auto" and unseen.wanted):
        return None
    return f"PyTorch cannot use {cards}: {unseen.reason}; {unseen.remedy}, or accept the CPU with device: cpu"


def video_faults(plan: Plan) -> Iterator[Fault]:
    """What videos need beside weights: an ffmpeg that runs, and a detector of another package if one is named."""
    if not any(plan.makes(corpus, "aligned_faces") for corpus in plan.corpora):
        return
    from nrdfer.video.ffmpeg import ffmpeg_executable

    try:
        ffmpeg_executable()
    except NrdferError as error:
        yield Fault("ffmpeg", str(error), of_machine=True)
    if (name := plan.profile.align.detector) != RETINAFACE:
        from nrdfer.preprocessing.spec import detector_code

        try:
            detector_code(name)
        except NrdferError as error:
            yield Fault("detector", f"profile {plan.profile.name}: {error}", of_machine=True)
