"""The rendered corpus: a folder that holds a corpus in DFEW's layout and one in AFEW's.

No network is trained on it as a whole. If a profile renders its corpora, `Corpus.rendered_as` names which of its two
folders replaces DFEW or AFEW, and the assets keep their names; so it has no splits, and no assets of its own.
Rendering belongs to ``synthetic``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nrdfer.core.errors import CorpusError
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.base import Contents, Corpus
from nrdfer.corpora.dfew import DFEW


class Rendered(Corpus):
    """Both of its parts, as DFEW's and AFEW's readers find them."""

    name, title = "rendered", "the rendered corpus"
    splits = ()
    holds = "DFEW, AFEW and ground_truth.jsonl"

    def read(self, root: Path) -> Contents[Any]:
        """The clips of both folders; the ids are those of the ground truth.

        Raises:
            CorpusError: a folder is missing, or the ground truth lists other clips.
        """
        found = [corpus.read(root / str(corpus.rendered_as)) for corpus in (DFEW, AFEW)]
        clips = [clip for contents in found for clip in contents.clips]
        truth = root / "ground_truth.jsonl"
        if not truth.is_file():
            raise CorpusError(f"{root} has no {truth.name}; render it again: nrdfer corpus render --out DIR")
        with truth.open("rb") as lines:
            listed = sum(1 for _ in lines)
        if listed != len(clips):
            raise CorpusError(f"{truth} lists {listed} clips, but {len(clips)} are there; render the corpus again")
        return Contents(root, root, clips)


RENDERED = Rendered()
