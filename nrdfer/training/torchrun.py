"""A training whose processes ``torchrun`` starts, one on each GPU of several machines.

Every process runs the same line. They meet before any of them touches a file of the training; the first alone holds
the training's folder, tracks and publishes, and the others train with it or end with its reason. Processes that this
project starts itself, on one machine, belong to ``launch``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from nrdfer.core import environment
from nrdfer.core.errors import NrdferError, ProfileError, TrainingError, TrainingLost
from nrdfer.core.processes import die_with_parent
from nrdfer.runtime.distributed import MOST_RANKS, STORE, Ranks, joined
from nrdfer.runtime.engine import Engine

_LOST = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Broken pipe",
    "Socket closed",
    "Timed out waiting",
    "NCCL",
    "failed to recv",
    "failed to connect",
    "Connection refused",
)
_TRAIN, _NOTHING = "train", "nothing"  # what the first process says


def by_torchrun() -> bool:
    """Whether this is one of several processes that something other than `launch` started (``WORLD_SIZE``)."""
    return STORE not in os.environ and _number("WORLD_SIZE") > 1


def _number(name: str) -> int:
    return environment.whole(name, 1, least=1, most=MOST_RANKS)


def spread_fields(engine: Engine) -> dict[str, int]:
    """Fields of an engine that follow from the processes this one was started among; none for a process alone.

    Raises:
        ProfileError: it asks for other numbers.
    """
    if not by_torchrun():
        return {}
    world, nodes = _number("WORLD_SIZE"), _number("GROUP_WORLD_SIZE")
    if engine.devices not in (0, 1, world):
        raise ProfileError(
            f"engine: devices: {engine.devices} are requested, but torchrun started {world} processes; leave devices "
            "out, or change --nnodes and --nproc-per-node"
        )
    if engine.nodes not in (1, nodes):
        raise ProfileError(f"engine: nodes: {engine.nodes} are requested, but torchrun started on {nodes}")
    return {"devices": world, "nodes": nodes}


@dataclass
class Team:
    """The processes of one training, before it begins."""

    ranks: Ranks
    agreed: bool = False
    _verdict: str = _NOTHING

    def begin(self, train: bool = True) -> bool:
        """Tell the others whether there is something to train (the first), or wait to be told; returns that.

        Raises:
            TrainingError: one of the others cannot begin; says why.
        """
        self._exchange(("", _TRAIN if train else _NOTHING))
        return self._verdict == _TRAIN

    def fail(self, reason: str) -> None:
        """Tell the others that this process cannot begin, if they still wait for its word."""
        if not self.agreed and self.ranks.world > 1:
            with contextlib.suppress(Exception):  # the own error is the one to report
                self._exchange((reason, _NOTHING))

    def _exchange(self, said: tuple[str, str]) -> None:
        if self.agreed:
            return
        self.agreed = True
        everyone = self.ranks.gather(said)
        failed = [(rank, reason) for rank, (reason, _) in enumerate(everyone) if reason]
        if failed and not said[0]:
            rank, reason = failed[0]
            raise TrainingError(f"{reason} (process {rank} of {self.ranks.world})")
        self._verdict = everyone[0][1]


@contextlib.contextmanager
def together(engine: Engine) -> Iterator[Team]:
    """Meet the other processes that ``torchrun`` started; without it, a team of one.

    Raises:
        TrainingError: another process could not begin, or was lost.
    """
    if not by_torchrun():
        yield Team(Ranks())
        return
    if "TORCHELASTIC_RUN_ID" in os.environ:
        die_with_parent(os.getppid())  # the agent: a kill of it must not leave a process that nobody watches
    from nrdfer.runtime.determinism import set_up

    with lost_in_words(), joined(set_up(engine)) as ranks:
        team = Team(ranks)
        try:
            yield team
        except BaseException as error:
            team.fail(str(error) if isinstance(error, NrdferError) else f"{type(error).__name__}: {error}")
            raise


@contextlib.contextmanager
def lost_in_words() -> Iterator[None]:
    """Report in words that another process of the training was lost.

    Raises:
        TrainingLost: the connection to it broke.
    """
    try:
        yield
    except RuntimeError as error:  # also what torch.distributed raises
        if isinstance(error, NrdferError) or not any(words in str(error) for words in _LOST):
            raise
        reason = str(error).strip().splitlines()[0].partition(". ")[0][-200:]
        raise TrainingLost(
            f"the connection to another process of this training was lost ({reason}); what ended it is in its own "
            "output. Checkpoints are kept: start the training again as it was started, and it continues"
        ) from error
