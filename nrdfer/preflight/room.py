"""Room on the disk: what a run's shards and trainings will take at least, compared with what is free.

Only what is certain is counted (the pictures in shards, the weights of trainings), so that a run is refused only where
it could not have ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.core import disk, paths
from nrdfer.corpora.base import Contents, Corpus, PictureClip
from nrdfer.corpora.registry import trained_corpora
from nrdfer.preflight.plan import Fault, Plan

#: Bytes of a JPEG picture for each of its pixels, at least: quality 90 and more, and below. Real faces take 0.35 at 95.
_PER_PIXEL, _FINE, _FINE_PER_PIXEL = 0.04, 90, 0.2
#: Files of weights that a training leaves (last and best epoch), and of a version of the registry at the least.
_KEPT = 2
_FLOAT = 4  # bytes


@dataclass(frozen=True)
class Need:
    """Bytes that something takes at least."""

    what: str
    size: int


def needs_of(plan: Plan, frames: Mapping[str, int]) -> list[Need]:
    """What a run will write at least, without what it finds in the store.

    Args:
        plan: what it makes.
        frames: pictures of each corpus, by name, as far as it comes as pictures and their number is known.
    """
    found = []
    shards = plan.profile.shards
    for corpus in plan.corpora:
        if frames.get(corpus.name) and is_new(plan, corpus.asset("shards")):
            pixel = _FINE_PER_PIXEL if shards.jpeg_quality >= _FINE else _PER_PIXEL
            size = int(frames[corpus.name] * shards.image_size**2 * pixel)
            found.append(Need(f"{corpus.title}'s shards", size))
    weights = weights_size(plan.profile)
    trainings = sum(
        is_new(plan, corpus.asset("checkpoint", split))
        for corpus in trained_corpora()
        for split in plan.trained(corpus)
    )
    if weights and trainings:
        found.append(Need(f"the weights of {trainings} trainings", trainings * _KEPT * weights))
    return found


def is_new(plan: Plan, asset: str) -> bool:
    """Whether an asset will be written: nothing of its name is in the store or begun, whatever settings it has."""
    folders = paths.store_root() / asset, paths.store_root() / ".work" / asset
    return asset in plan.absent and not any(folder.is_dir() and any(folder.iterdir()) for folder in folders)


def frames_of(contents: Contents[Any]) -> int:
    """Pictures of a corpus; 0 if it comes as videos."""
    return sum(clip.n_frames for clip in contents.clips if isinstance(clip, PictureClip))


def weights_size(profile: Profile) -> int:
    """Bytes of the weights of a profile's network; 0 if they are not known without building it."""
    from nrdfer.models.cost_table import shipped_costs

    if profile.model_settings:
        return 0
    known = [
        row.parameters for row in shipped_costs() if (row.name, row.preset) == (profile.model, profile.model_preset)
    ]
    return min(known, default=0) * _FLOAT


def room_faults(plan: Plan, frames: Mapping[str, int]) -> Iterator[Fault]:
    """A disk with less room than what a run will write at least."""
    needs = needs_of(plan, frames)
    needed, free = sum(need.size for need in needs), disk.free_bytes(paths.store_root())
    if needed > free:
        listed = ", ".join(f"{need.what} {_amount(need.size)}" for need in needs)
        yield Fault(
            "disk",
            f"at least {_amount(needed)} are needed in {paths.store_root()} ({listed}), and {_amount(free)} are free "
            "there; free some space, or set NRDFER_HOME to a folder on a larger disk",
        )


def frames_to_render(profile: Profile, corpus: Corpus) -> int:
    """Pictures of DFEW's rendered stand-in, at least."""
    render = profile.corpora.render
    return render.identities * len(corpus.emotions) * render.frames[0] if corpus.name == "dfew" else 0


def _amount(size: float) -> str:
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 29 else f"{size / (1 << 20):.1f} MiB"
