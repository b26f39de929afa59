"""Checks that need torch, for a process of their own: the profile's network, and the devices that PyTorch finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from nrdfer.core.errors import NrdferError
from nrdfer.preflight.plan import Fault


@dataclass(frozen=True)
class Question:
    """What is asked about a network: plain values, because they pass to another process."""

    written: Mapping[str, Any]  # the profile, as `Profile.written` has it
    corpora: Sequence[str]  # names of those that are listed
    devices: bool  # whether this machine's devices are the run's


#: Asks in a process that has torch; None if it gave no answer.
Ask = Callable[[Question], list[Fault] | None]


def network_faults(question: Question) -> list[Fault]:
    """Faults of a profile's network, and of its devices."""
    from nrdfer.config.profile import Profile
    from nrdfer.experiments.check_profile import check_devices, check_networks

    profile = Profile.read(question.written, "profile")
    checks: dict[str, Callable[[], None]] = {
        f"network for {name}": partial(check_networks, profile, name) for name in question.corpora
    }
    if question.devices:
        checks["GPU"] = lambda: check_devices(profile)
    found: dict[str, Fault] = {}
    for where, check in checks.items():
        try:
            check()
        except NrdferError as error:
            text = f"profile {profile.name}: {error}"
            found.setdefault(text, Fault(where, text, of_machine=where == "GPU"))
    return list(found.values())
