"""The paper's two corpora as values: what the whole project needs to know of DFEW and AFEW.

Reading their folders belongs to ``dfew`` and ``afew``, comparing a copy with what is published to ``doctor``.
"""

from __future__ import annotations

from pathlib import Path

from nrdfer.corpora import doctor, published
from nrdfer.corpora.afew import find_videos
from nrdfer.corpora.base import Contents, Corpus, Examination, PictureClip, VideoClip
from nrdfer.corpora.dfew import read_dfew


class Dfew(Corpus):
    """DFEW: film clips as face pictures, and five published folds."""

    name, title = "dfew", "DFEW"
    splits = ("fd1", "fd2", "fd3", "fd4", "fd5")
    holds = "EmoLabel_DataSplit and Clip"
    of_paper = True
    rendered_as = "DFEW"
    published = published.DFEW_EMOTIONS

    def read(self, root: Path) -> Contents[PictureClip]:
        """See `nrdfer.corpora.dfew.read_dfew`."""
        return read_dfew(root)

    def examine(self, root: Path) -> Examination:
        """See `nrdfer.corpora.doctor.examine_dfew`."""
        return doctor.examine_dfew(root)


class Afew(Corpus):
    """AFEW: film clips as videos, divided by its organisers; fine-tuned from DFEW's first fold (section 4.2)."""

    name, title = "afew", "AFEW"
    splits = ("afew",)
    videos = True
    parts = ("train", "val")
    holds = "Train_AFEW and Val_AFEW"
    recipe = "afew-paper"
    initial = "fd1"
    of_paper = True
    rendered_as = "AFEW"

    def read(self, root: Path) -> Contents[VideoClip]:
        """See `nrdfer.corpora.afew.find_videos`."""
        return Contents(root, root, find_videos(root))

    def examine(self, root: Path) -> Examination:
        """See `nrdfer.corpora.doctor.examine_afew`."""
        return doctor.examine_afew(root)


DFEW, AFEW = Dfew(), Afew()
