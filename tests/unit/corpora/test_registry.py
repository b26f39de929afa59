"""Corpora by name and by split, and the rendered one as a whole."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from nrdfer.config.recipe import RECIPES
from nrdfer.config.rendering import CorpusSettings
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.base import MEAN, POOLED, SINGLE
from nrdfer.corpora.dfew import DFEW
from nrdfer.corpora.registry import CORPORA, corpus_of, find_corpus, read_own_corpora, splits_in_words, trained_corpora
from nrdfer.corpora.rendered import RENDERED
from nrdfer.corpora.synthetic.render import render_corpus
from tests.conftest import PROJECT


def test_names_and_splits_lead_to_one_corpus_each() -> None:
    assert [*CORPORA] == [corpus.name for corpus in CORPORA.values()]
    splits = [split for corpus in trained_corpora() for split in corpus.splits]
    assert splits[:7] == ["fd1", "fd2", "fd3", "fd4", "fd5", "afew", "ferv39k"]
    assert len(set(splits)) == len(splits)
    assert [corpus_of(split).name for split in splits[:8]] == ["dfew"] * 5 + ["afew", "ferv39k", "mafw"]
    assert splits_in_words().startswith("fd1 to fd5 (DFEW), afew (AFEW), ferv39k (FERV39k), mafw1 to mafw5 (MAFW), ")
    with pytest.raises(CorpusError, match=r"no corpus 'ck'; known are dfew, afew, ferv39k, .*, rendered"):
        find_corpus("ck")
    with pytest.raises(CorpusError, match=r"no split 'fd6'; splits are fd1, .*, afew, ferv39k, mafw1"):
        corpus_of("fd6")


def test_what_a_corpus_does_not_say_follows() -> None:
    assert (DFEW.asset("shards"), DFEW.asset("checkpoint", "fd2")) == ("dfew/shards", "dfew/fd2/checkpoint")
    assert (AFEW.asset("videos"), AFEW.asset("checkpoint", "afew")) == ("afew/videos", "afew/checkpoint")
    assert (DFEW.fold("fd3"), DFEW.aggregates, AFEW.aggregates) == (3, (MEAN, POOLED), (SINGLE,))
    for corpus in trained_corpora():
        assert corpus.recipe in RECIPES
        assert corpus.parts is None or corpus.videos  # of face pictures, no part is kept
        assert corpus.initial is None or corpus_of(corpus.initial) is not corpus
        assert len(set(corpus.emotions)) == len(corpus.emotions)
        assert not corpus.published or tuple(corpus.published) == corpus.emotions


def test_further_corpora_keep_the_order_of_the_seven_emotions() -> None:
    for corpus in trained_corpora():
        assert [name for name in corpus.emotions if name in EMOTIONS] == [n for n in EMOTIONS if n in corpus.emotions]


def test_the_rendered_corpus_is_read_as_a_whole(tmp_path: Path) -> None:
    tiny = dataclasses.replace(CorpusSettings.tiny(), frames=(2, 2), afew_frames=(2, 2))
    root = render_corpus(tmp_path / "corpus", tiny)
    assert len(RENDERED.read(root).clips) == 7 * 5 + 7 * 2
    looked = RENDERED.examine(root)
    assert looked.usable
    assert looked.counts["clips"] == dict.fromkeys(RENDERED.emotions, 7)
    (root / "ground_truth.jsonl").write_text("{}\n")
    with pytest.raises(CorpusError, match="lists 1 clips, but 49 are there"):
        RENDERED.read(root)


def test_the_page_of_further_corpora_names_each_with_its_splits() -> None:
    page = (PROJECT / "docs" / "corpora.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    written = {row[1].split("`")[1]: re.findall(r"`(\w+)`", row[6]) for row in rows}
    further = [corpus for corpus in trained_corpora() if not corpus.of_paper]
    assert written == {c.name: list(dict.fromkeys((c.splits[0], c.splits[-1]))) for c in further}
    for corpus in further:
        assert f"{sum(corpus.published.values()):,}" in page
        assert corpus.variable in page


def test_own_corpora_are_those_of_the_folder_that_is_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "home" / "corpora" / "studio"
    place.mkdir(parents=True)
    definition = {"name": "studio", "root": "/", "videos": True, "emotions": ["calm", "tense"], "folds": 1}
    (place / "corpus.json").write_text(json.dumps(definition))
    shipped = dict(CORPORA)
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    read_own_corpora()
    assert CORPORA.keys() == {*shipped, "studio"}
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "other"))
    read_own_corpora()
    assert shipped == CORPORA
