"""All corpora by name, and look-up of a corpus by its name or one of its splits.

A corpus's layout and labels belong to its own module; the common interface, to ``base``.
"""

from __future__ import annotations

import logging

from nrdfer.config.profile import Profile
from nrdfer.config.recipe import Recipe
from nrdfer.core.errors import CorpusError
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.cremad import CREMAD
from nrdfer.corpora.dfew import DFEW
from nrdfer.corpora.ferv39k import FERV39K
from nrdfer.corpora.mafw import MAFW, MAFW_FACES
from nrdfer.corpora.own_corpus import OwnCorpus, own_corpora
from nrdfer.corpora.ravdess import RAVDESS
from nrdfer.corpora.rendered import RENDERED

_log = logging.getLogger(__name__)
CORPORA: dict[str, Corpus] = {
    "dfew": DFEW,
    "afew": AFEW,
    "ferv39k": FERV39K,
    "mafw": MAFW,
    "mafw_faces": MAFW_FACES,
    "cremad": CREMAD,
    "ravdess": RAVDESS,
    "rendered": RENDERED,
}


def read_own_corpora() -> None:
    """Take up the user's own corpora of the project's folder, and leave out those of what was its folder before."""
    for name in [name for name, corpus in CORPORA.items() if isinstance(corpus, OwnCorpus)]:
        del CORPORA[name]
    for added in own_corpora():
        if CORPORA.setdefault(added.name, added) is not added:
            _log.warning("your corpus %s has a name of this version's; add it again under another name", added.name)


read_own_corpora()


def find_corpus(name: str) -> Corpus:
    """The corpus of a name.

    Raises:
        CorpusError: there is none; the message lists all.
    """
    if name not in CORPORA:
        raise CorpusError(f"there is no corpus {name!r}; known are {', '.join(CORPORA)}")
    return CORPORA[name]


def trained_corpora() -> tuple[Corpus, ...]:
    """The corpora that networks are trained on."""
    return tuple(corpus for corpus in CORPORA.values() if corpus.splits)


def recipe_of(profile: Profile, corpus: str) -> Recipe:
    """The recipe for training on a corpus: the profile's, or else the corpus's own.

    Raises:
        CorpusError: there is no such corpus.
    """
    return profile.recipe_for(corpus, find_corpus(corpus).recipe)


def initial_of(profile: Profile, corpus: Corpus) -> str | None:
    """The split of another corpus whose checkpoint a corpus's trainings start from; None: they start from scratch."""
    return None if corpus.name in profile.initial else corpus.initial


def corpus_of(split: str) -> Corpus:
    """The corpus that a split divides.

    Raises:
        CorpusError: there is no such split; the message lists all.
    """
    for corpus in trained_corpora():
        if split in corpus.splits:
            return corpus
    known = ", ".join(split for corpus in trained_corpora() for split in corpus.splits)
    raise CorpusError(f"there is no split {split!r}; splits are {known}")


def splits_in_words() -> str:
    """All splits for a help text: ``fd1 to fd5 (DFEW), afew (AFEW)``."""
    return ", ".join(
        f"{' to '.join(dict.fromkeys((corpus.splits[0], corpus.splits[-1])))} ({corpus.title})"
        for corpus in trained_corpora()
    )
