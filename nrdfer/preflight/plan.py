"""Plan of a run: the assets it will make, by corpus and step, which of them are new, and the faults found in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from nrdfer.config.profile import Profile
from nrdfer.core.errors import NrdferError
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.registry import CORPORA


class NotReadyError(NrdferError):
    """A run that would fail; the message lists all reasons."""

    def __init__(self, faults: Collection[Fault]) -> None:
        self.faults = tuple(faults)
        count = "1 fault was" if len(self.faults) == 1 else f"{len(self.faults)} faults were"
        lines = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(f"nothing was started, because {count} found before the first step:\n{lines}")

    def reasons(self) -> dict[str, str]:
        """The faults by the part that is at fault."""
        found: dict[str, list[str]] = {}
        for fault in self.faults:
            found.setdefault(fault.where, []).append(fault.text)
        return {where: "; ".join(texts) for where, texts in found.items()}


@dataclass(frozen=True)
class Fault:
    """One reason for which a run would fail."""

    where: str  # the part that is at fault: weights, a corpus, disk ...
    text: str  # what is wrong, where, and what to do
    of_machine: bool = False  # whether it may be otherwise on the machines of a cluster

    def __str__(self) -> str:
        return f"{self.where}: {' '.join(self.text.split())}"


@dataclass(frozen=True)
class Plan:
    """The assets that a run makes.

    Args:
        profile: resolved, with which it makes them.
        assets: their keys, as ``dfew/fd1/checkpoint``.
    """

    profile: Profile
    assets: frozenset[str]

    @cached_property
    def corpora(self) -> tuple[Corpus, ...]:
        """The corpora that are listed, and so read from their folders."""
        return tuple(corpus for corpus in CORPORA.values() if corpus.asset(corpus.listing) in self.assets)

    def makes(self, corpus: Corpus, step: str) -> bool:
        """Whether a step of a corpus is in it."""
        return corpus.asset(step) in self.assets

    def trained(self, corpus: Corpus) -> tuple[str, ...]:
        """Splits of a corpus that are trained."""
        return tuple(split for split in corpus.splits if corpus.asset("checkpoint", split) in self.assets)

    def evaluated(self, corpus: Corpus) -> tuple[str, ...]:
        """Splits of a corpus whose networks are evaluated, and registered."""
        return tuple(split for split in corpus.splits if corpus.asset("evaluation", split) in self.assets)

    @property
    def computes(self) -> bool:
        """Whether a step asks for the profile's network and devices in any case: a listing does, a training may not."""
        return bool(self.corpora)

    @cached_property
    def absent(self) -> frozenset[str]:
        """Assets that were not made on this machine with exactly these settings; none: the run is up to date."""
        from nrdfer.store.pointers import made_with

        made = made_with(self.profile)
        return frozenset(asset for asset in self.assets if not made.is_known(asset))
