"""Corpora that a run lists, and whether its training lists can be trained on, read as the steps will read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nrdfer.config.recipe import Recipe
from nrdfer.core.errors import CorpusError
from nrdfer.corpora.base import Contents, Corpus, PictureClip
from nrdfer.corpora.registry import recipe_of
from nrdfer.preflight.plan import Fault, Plan
from nrdfer.preflight.room import frames_of, frames_to_render
from nrdfer.preprocessing.corpus_listing import given_root, refuse_no_source


@dataclass(frozen=True)
class Lists:
    """Emotions of the clips of one split, at most: what later turns out to be unusable is still counted."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def source_faults(plan: Plan) -> Iterator[Fault]:
    """Corpora without a folder, and folders that are not there; nothing is read."""
    for corpus in plan.corpora:
        try:
            refuse_no_source(plan.profile, corpus)
        except CorpusError as error:
            yield Fault(corpus.title, str(error), of_machine=True)
            continue
        root = given_root(plan.profile, corpus)
        if root is not None and not is_folder(root):
            yield Fault(
                corpus.title,
                f"profile {plan.profile.name}: the folder {root} does not exist, or may not be looked into; correct "
                f"{corpus.variable} or the run config. It is to hold {corpus.holds}",
                of_machine=True,
            )


def is_folder(root: Path) -> bool:
    """Whether a folder exists and this user may see it: ``Path.is_dir`` raises where its parent is closed."""
    try:
        return root.is_dir()
    except OSError:
        return False


def read_corpus(plan: Plan, corpus: Corpus) -> tuple[list[Fault], int]:
    """Faults of a corpus that is there: it cannot be read as a whole, or cannot be trained on with the recipe.

    Returns:
        They, and the number of its pictures; 0 if it comes as videos, or is not there.
    """
    root = given_root(plan.profile, corpus)
    if root is None:
        return list(training_faults(plan, corpus, _rendered(plan, corpus))), frames_to_render(plan.profile, corpus)
    if not is_folder(root):
        return [], 0
    try:
        contents = corpus.read(root)
        lists = read_lists(corpus, contents, _recipe(plan, corpus))
    except CorpusError as error:
        return [Fault(corpus.title, f"profile {plan.profile.name}: {error}", of_machine=True)], 0
    faults = training_faults(plan, corpus, lists)  # of this machine's copy
    return [replace(fault, of_machine=True) for fault in faults], frames_of(contents)


def read_lists(corpus: Corpus, contents: Contents[Any], recipe: Recipe) -> dict[str, Lists]:
    """Training and test lists of each split of a corpus, as far as its clips are there and long enough to train on."""
    emotions = {clip.clip_id: clip.emotion for clip in contents.clips}
    short = {
        clip.clip_id for clip in contents.clips if isinstance(clip, PictureClip) and clip.n_frames < recipe.min_frames
    }
    if corpus.parts is not None:
        ids = [[clip.clip_id for clip in contents.clips if clip.split == part] for part in corpus.parts]
        divided = dict.fromkeys(corpus.splits, (ids[0], ids[1]))
    else:
        divided = {
            split: (list(fold.train), list(fold.test))
            for split in corpus.splits
            if (fold := contents.folds.get(corpus.fold(split))) is not None
        }
    return {
        split: Lists(
            tuple(emotions[clip] for clip in train if clip in emotions and clip not in short),
            tuple(emotions[clip] for clip in test if clip in emotions),
        )
        for split, (train, test) in divided.items()
    }


def training_faults(plan: Plan, corpus: Corpus, lists: Mapping[str, Lists]) -> Iterator[Fault]:
    """Batches larger than the smallest training list, and emotions that a list lacks."""
    trained = {split: lists[split] for split in plan.trained(corpus) if split in lists}
    if not trained:
        return
    profile, recipe = plan.profile, _recipe(plan, corpus)
    setting = f"{corpus.name}_recipe" if corpus.of_paper else f"recipes: {corpus.name}"
    least = min(trained, key=lambda split: len(trained[split].train))
    clips = len(trained[least].train)
    if recipe.batch > clips:
        yield Fault(
            f"{corpus.title}, training",
            f"profile {profile.name}: a batch of {recipe.batch} clips is larger than the training list of {least}, "
            f"which has {clips}; lower batch in {setting} to {clips} or less",
        )
    if recipe.absent_emotions:
        return
    for split, found in trained.items():
        for part in ("train", "test"):
            absent = [emotion for emotion in corpus.emotions if emotion not in getattr(found, part)]
            if absent:
                yield Fault(
                    f"{corpus.title}, training",
                    f"profile {profile.name}: the {'training' if part == 'train' else part} list of {split} has no "
                    f"clip of {', '.join(absent)}; look for missing clips with `nrdfer doctor --corpora`, or set "
                    f"absent_emotions: true in {setting}",
                )


def _recipe(plan: Plan, corpus: Corpus) -> Recipe:
    return recipe_of(plan.profile, corpus.name)


def _rendered(plan: Plan, corpus: Corpus) -> dict[str, Lists]:
    """The lists of a corpus of the paper that is to be rendered: each person is filmed once for each emotion."""
    render, each = plan.profile.corpora.render, corpus.emotions
    if corpus.name == "afew":
        train, test = render.afew_train_identities, render.afew_val_identities
    elif corpus.name == "dfew":
        train, test = render.identities * 4 // 5, render.identities // 5
    else:
        return {}
    return {split: Lists(each * train, each * test) for split in corpus.splits}
